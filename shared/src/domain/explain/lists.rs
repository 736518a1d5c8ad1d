//! Lines of lists that a server's owner acts on: who pays and has no role, who has a role and why. In: what is known of one member, and
//! what is explained of them. Out: lines, none or several. What is judged is the explanation's: no list says otherwise than it does.

use super::{
    explanation::{Answer, Cause, Explained, Explanation, Fix, Why},
    facts::{Bought, BoughtKind, Facts, Source, SourceKind},
};
use crate::{
    clock::Timestamp,
    ids::{ConnectionId, RoleId, UserId},
};

/// What a subscription, or a one-time purchase, is called while it is paid for: what a query for payers binds. Who is behind with a
/// payment pays as long as that gives a role.
pub const PAID: [&str; 3] = ["active", "trialing", "paid"];

/// A member pays, and lacks a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    pub member: UserId,
    /// `None`: what they pay for gives none.
    pub role: Option<RoleId>,
    /// By what: `sub_…`, `cs_…`; in order.
    pub paid_by: Vec<String>,
    /// That they lack it, or that nobody has checked whether they do, with the cause.
    pub answer: Answer,
    pub fix: Fix,
}

impl Lacking {
    /// Discord said so when the role was to be given.
    pub fn is_not_in_server(&self) -> bool {
        *self.answer.cause() == Cause::NotInServer
    }
}

/// A role that is paid for is not there, as far as is known; or nothing is due at all to a member who pays.
pub fn lacking(facts: &Facts, explanation: &Explanation) -> Vec<Lacking> {
    let parts = &explanation.parts;
    if facts.sources.iter().any(|source| source.is_live) {
        return parts.iter().filter_map(|part| not_there(facts, part)).collect();
    }
    // What a person gave, or is being taken, is a role.
    let has_one = parts.iter().any(|part| !matches!(part.answer, Answer::Lacks(_)));
    let mut found: Vec<Lacking> = Vec::new();
    for part in parts.iter().filter(|_| !has_one) {
        let Some(bought) = gives_nothing(facts, part.answer.cause()) else { continue };
        // It may be said of a role, and of no role too.
        if !found.iter().any(|line| line.paid_by.contains(&bought.id)) {
            found.push(line(facts, part, vec![bought.id.clone()]));
        }
    }
    found
}

fn line(facts: &Facts, part: &Explained, paid_by: Vec<String>) -> Lacking {
    let (answer, fix) = (part.answer.clone(), part.next.fix.clone());
    Lacking { member: facts.member, role: part.role, paid_by, answer, fix }
}

/// Of a role that is due because it is paid for.
fn not_there(facts: &Facts, part: &Explained) -> Option<Lacking> {
    let role = part.role.filter(|_| matches!(part.answer, Answer::Lacks(_) | Answer::MayHave(_)))?;
    let gives = facts.sources.iter().filter(|source| source.is_live && source.role_id == role);
    let mut paid_by: Vec<String> =
        gives.filter(|source| is_backed(facts, source)).map(|source| source.source_id.clone()).collect();
    paid_by.sort_unstable();
    (!paid_by.is_empty()).then(|| line(facts, part, paid_by))
}

/// Whether it was bought at an account that is connected, and is there: what is not does not count as paying.
fn is_backed(facts: &Facts, source: &Source) -> bool {
    source.kind == SourceKind::Stripe
        && is_connected(facts, source.connection_id)
        && facts.bought(source).is_none_or(|bought| bought.missing_since.is_none())
}

fn is_connected(facts: &Facts, connection: Option<ConnectionId>) -> bool {
    facts.connections.iter().any(|it| it.is_active && Some(it.connection_id) == connection)
}

/// What is paid for, though nothing is due for it: it is not mapped, not read, or its mapping's rules want something else.
fn gives_nothing<'f>(facts: &'f Facts, cause: &Cause) -> Option<&'f Bought> {
    let id = match cause {
        Cause::NotMapped { id, .. } | Cause::Unread { id, .. } => id,
        Cause::Sources(reasons) => {
            let by_rule = reasons.iter().find(|reason| matches!(reason.why, Why::NotYet | Why::Ended));
            &by_rule?.source
        }
        _ => return None,
    };
    facts.bought.iter().find(|bought| bought.id == *id && is_paid(facts, bought))
}

/// Whether it is this member's, and paid for as far as the connected account says.
fn is_paid(facts: &Facts, bought: &Bought) -> bool {
    let went_back = bought.kind == BoughtKind::Purchase && bought.refund.as_deref() == Some("full")
        || matches!(bought.dispute.as_deref(), Some("open" | "lost"));
    let is_there = is_connected(facts, Some(bought.connection_id)) && bought.missing_since.is_none();
    let is_theirs = bought.user() == Some(facts.member) && is_there;
    PAID.contains(&bought.status.as_str()) && is_theirs && !went_back
}

/// Why a member has a role, in the order in which the reasons of one member are said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeldBy {
    Paying,
    /// It is paid, was cancelled, and runs out.
    Ending,
    /// Its invoices are not collected.
    NotCollected,
    Trial,
    /// A payment failed, and is waited for.
    Grace,
    /// Bought once.
    Once,
    /// Of a Stripe account, or mode, that is not connected any more, or that has no such subscription.
    Unbacked,
    /// Given by this Discord user; `None`: by the operator.
    ByHand(Option<UserId>),
    Import,
    Seat,
    /// A person gave it at Discord, not Nexrole.
    Person,
    /// Nothing gives it any more, and it is about to be taken.
    Leaving,
    /// Nothing gives it any more, and this keeps it from being taken.
    Kept(Cause),
}

impl HeldBy {
    fn of(why: &Why) -> Self {
        match why {
            Why::Ending(_) => Self::Ending,
            Why::CollectionPaused { .. } => Self::NotCollected,
            Why::Trial(_) => Self::Trial,
            Why::Grace { .. } => Self::Grace,
            Why::Once(_) => Self::Once,
            Why::Missing { .. } | Why::Disconnected { .. } => Self::Unbacked,
            Why::ByHand { by, .. } => Self::ByHand(*by),
            Why::Import { .. } => Self::Import,
            Why::Seat => Self::Seat,
            Why::Active | Why::Read => Self::Paying,
            // These give nothing.
            Why::Disputed { .. }
            | Why::Refunded
            | Why::Paused(_)
            | Why::Canceled
            | Why::Unpaid
            | Why::NotPaid
            | Why::Over(_)
            | Why::NotYet
            | Why::NotInIt
            | Why::NotMapped
            | Why::NotTheirs(_)
            | Why::TakenBack
            | Why::TimeIsOver
            | Why::Ended => Self::Leaving,
        }
    }

    /// Its place among the reasons of one member.
    fn place(&self) -> (u8, Option<UserId>) {
        match self {
            Self::Paying => (0, None),
            Self::Ending => (1, None),
            Self::NotCollected => (2, None),
            Self::Trial => (3, None),
            Self::Grace => (4, None),
            Self::Once => (5, None),
            Self::Unbacked => (6, None),
            Self::ByHand(by) => (7, *by),
            Self::Import => (8, None),
            Self::Seat => (9, None),
            Self::Person => (10, None),
            Self::Leaving => (11, None),
            Self::Kept(_) => (12, None),
        }
    }
}

/// A member has a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    pub member: UserId,
    pub role: RoleId,
    /// Each reason once, in order; at least one.
    pub by: Vec<HeldBy>,
    /// When they lose it, as far as that is known.
    pub until: Option<Timestamp>,
    /// Why it was given by hand, in the owner's words.
    pub reason: Option<String>,
}

/// The roles that a member has, as far as is known.
pub fn holdings(facts: &Facts, explanation: &Explanation) -> Vec<Holding> {
    explanation.parts.iter().filter_map(|part| holding(facts, part)).collect()
}

fn holding(facts: &Facts, part: &Explained) -> Option<Holding> {
    let role = part.role?;
    let mut by = match &part.answer {
        Answer::Has(Cause::Sources(reasons)) | Answer::WillLose(_, Cause::Sources(reasons)) => {
            reasons.iter().map(|reason| HeldBy::of(&reason.why)).collect()
        }
        Answer::Has(_) | Answer::WillLose(..) => vec![HeldBy::Person],
        Answer::Loses(_) => vec![HeldBy::Leaving],
        Answer::Keeps(cause) => vec![HeldBy::Kept(cause.clone())],
        Answer::Lacks(_) | Answer::MayHave(_) => return None,
    };
    by.sort_by_key(HeldBy::place);
    by.dedup();
    let until = match part.answer {
        Answer::WillLose(at, _) => Some(at),
        _ => None,
    };
    let given = facts.sources.iter().filter(|it| it.is_live && it.role_id == role);
    let reason = given.filter(|it| it.kind == SourceKind::Manual).find_map(|it| it.reason.clone());
    Some(Holding { member: facts.member, role, by, until, reason })
}
