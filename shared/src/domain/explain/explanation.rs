//! What is said of a member: per role one answer, the chain that led to it, and what follows. No words: who shows it has those.

use crate::{
    clock::Timestamp,
    domain::{
        billing::page::PayPage, delivery::refusal::Closed, entitlement::policy::Rule,
        roles::by_hand::Question,
    },
    ids::{JobId, RoleId, UserId},
};

/// Why a member has, or lacks, what roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// By role, and then what is about no role. Never empty.
    pub parts: Vec<Explained>,
}

/// One answer with its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// `None`: it is about no role, since nothing gives one.
    pub role: Option<RoleId>,
    pub answer: Answer,
    /// From the first payment to what Discord answered last.
    pub steps: Vec<Step>,
    pub next: Next,
}

/// In one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Has(Cause),
    WillLose(Timestamp, Cause),
    /// They have it from us, and nothing gives it any more.
    Loses(Cause),
    Lacks(Cause),
    /// It is due, and nobody has checked yet whether they have it.
    MayHave(Cause),
    /// They have it from us, nothing gives it any more, and this keeps it from being taken.
    Keeps(Cause),
}

impl Answer {
    pub fn cause(&self) -> &Cause {
        match self {
            Self::Has(cause)
            | Self::WillLose(_, cause)
            | Self::Loses(cause)
            | Self::Lacks(cause)
            | Self::MayHave(cause)
            | Self::Keeps(cause) => cause,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// What gives it, or gave it last: one for each source.
    Sources(Vec<Reason>),
    /// A person gave it at Discord to who pays for it; or, without a question, to whomever.
    ByPerson(Option<Question>),

    /// It is to be given, but:
    NotInServer,
    /// Discord does not let the bot manage the role, with this code.
    Refused(Option<i32>),
    RoleDeleted,
    /// Why nobody is given it.
    Suspended(String),
    Observed,
    /// It was just mapped.
    Unchecked,
    /// Somebody took it at Discord; seen then.
    Taken(Timestamp),
    /// Taking it would be one too many within a day: the owner is asked.
    Held,
    ServerClosed(Closed),
    /// Discord said once that member or role is not there.
    Doubted(Timestamp),
    /// Its turn has not come, or it failed.
    Waits {
        attempts: i32,
        outcome: Option<String>,
    },
    /// Nothing waits, and Discord holds nothing because of us.
    NothingWaits,

    /// Nothing gives any role, since:
    NeverLinked,
    /// A customer whose metadata names them is somebody else's; or theirs, and its metadata names somebody else.
    LinkConflict {
        customer: String,
        holder: UserId,
        named: UserId,
    },
    /// It is in nothing that is mapped.
    NotMapped {
        id: String,
        prices: Vec<String>,
    },
    /// It is somebody else's by its own metadata.
    ForAnother {
        id: String,
        member: UserId,
    },
    /// An event was heard, and what it is about is not read yet.
    Unread {
        id: String,
        error: Option<String>,
    },
    /// A customer is linked, and bought nothing that we heard of; events were last read then.
    NothingBought {
        customer: String,
        events_read_at: Option<Timestamp>,
    },
    /// The account, or mode, of a customer is not connected any more.
    Disconnected {
        customer: String,
        livemode: bool,
    },
}

/// A source, and in which way it gives the role, or does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// `sub_…`, `cs_…`, or the id of what somebody said.
    pub source: String,
    pub why: Why,
    /// As it was written down: `sub_1 is active`.
    pub evidence: String,
    /// Where its open invoice is paid; `None`: it has none, or none with a page.
    pub pay_page: Option<PayPage>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    Active,
    /// It is in a trial, which ends then.
    Trial(Option<Timestamp>),
    /// A payment failed, and is waited for.
    Grace {
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        is_paused: bool,
    },
    /// Its invoices are not collected, until then.
    CollectionPaused {
        behaviour: String,
        resumes_at: Option<Timestamp>,
    },
    /// It was cancelled, and runs until then.
    Ending(Timestamp),
    /// Bought once.
    Once(Option<Timestamp>),
    /// By an owner's word.
    ByHand {
        reason: Option<String>,
        by: Option<UserId>,
        until: Option<Timestamp>,
    },
    Import {
        until: Option<Timestamp>,
    },
    Seat,
    /// It was read as something that gives it.
    Read,
    /// It is not found at the connected account since then: no read will show its end.
    Missing {
        since: Timestamp,
        customer: Option<String>,
    },
    /// The account that it was bought on is not connected any more.
    Disconnected {
        livemode: bool,
        customer: Option<String>,
    },

    // What gives it no more:
    Disputed {
        is_lost: bool,
    },
    Refunded,
    /// Stripe's word for why it is paused.
    Paused(String),
    Canceled,
    Unpaid,
    /// The first payment never came, or has not come yet.
    NotPaid,
    /// For longer than the role is kept; since when the payment was due.
    Over(Option<Timestamp>),
    NotYet,
    /// What gives the role is not in it any more.
    NotInIt,
    /// Nothing that is in it is mapped to the role any more.
    NotMapped,
    /// It is somebody else's, or nobody's.
    NotTheirs(Option<UserId>),
    TakenBack,
    TimeIsOver,
    Ended,
}

/// One step of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When it happened; `None`: it is a rule, or holds now.
    pub at: Option<Timestamp>,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A customer became this member: by `metadata`, or by the `owner`.
    Linked {
        customer: String,
        proof: String,
    },
    /// The first that is known of what gives the role: a line of the audit log.
    First {
        cause: String,
    },
    /// An event of Stripe's; when it came here.
    Heard {
        event: String,
        kind: String,
        received_at: Timestamp,
    },
    /// Somebody did something, or a read found it without an event.
    Done {
        actor: String,
        cause: String,
    },
    /// The object as last read from Stripe.
    Read {
        id: String,
        customer: Option<String>,
        status: String,
    },
    /// What a mapping makes of its state.
    Rule {
        sold: String,
        state: &'static str,
        rule: Rule,
    },
    /// A source began to give the role, or stopped.
    Source {
        is_live: bool,
        evidence: String,
        reason: Option<String>,
        until: Option<Timestamp>,
    },
    Desired(bool),
    /// A person had given it to who pays: whether it is to follow the payment was asked, or answered.
    Question(Question),
    Job {
        id: JobId,
        action: String,
        state: String,
        outcome: Option<String>,
        /// When it is tried, or was to be; `None`: it is done.
        tried_at: Option<Timestamp>,
    },
    Answered(Answered),
    /// They have the server's rules to accept.
    Pending,
}

/// What is known of the role at Discord.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// It was asked to give it, and the answer is not recorded yet.
    Asked,
    /// It confirmed that it gave it.
    Gave,
    /// It was taken; that is checked once more.
    Took,
    /// It said that member or role is not there.
    Absent,
    /// It shows that somebody took it.
    TakenByOthers,
    /// Its list of roles does not have this one any more.
    Deleted,
    /// It refuses to let the bot manage the role.
    Refused(Option<i32>),
    /// A line of the audit log about the role: `role.revoked`.
    Logged { action: String, cause: String },
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// When something happens by itself; `None`: nothing does.
    pub at: Option<Timestamp>,
    pub fix: Fix,
}

/// What somebody can do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// Nothing: it is as it should be.
    Nothing,
    /// Nothing: it goes on by itself.
    Wait,
    LinkCustomer,
    CorrectLink {
        customer: String,
    },
    MemberJoins,
    MemberAcceptsRules,
    /// By this code of Discord's: rank and permission, two-factor authentication, or another.
    LetManage(Option<i32>),
    MapAnotherRole,
    /// What makes the role harmless, for this danger.
    ClearDanger(String),
    Enforce,
    MapPrice(Vec<String>),
    GiveBack,
    /// Whether the role is to follow the payment.
    AnswerQuestion,
    /// An owner ends what no read will end.
    EndUnbacked {
        customer: String,
    },
    /// On this page, if there is one.
    MemberPays(Option<PayPage>),
    /// What was paused at Stripe is resumed there.
    Resume,
    /// They buy again, or are given it by hand.
    BuyAgain,
    InviteBot,
    ReviewHeld,
    ReconnectAccount,
}
