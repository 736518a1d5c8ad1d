//! Who bought something, and says so. In: a checkout session as read from Stripe, whom its reference names, who asks, and the time. Out:
//! whether its customer is theirs; and, from our rows, how far their role is.

use time::Duration;

use super::reference::{ClientReference, Meant};
use crate::{
    clock::Timestamp,
    ids::{CheckoutSessionId, CustomerId, UserId},
};

/// A session's id is a proof for so long: it is in the browser that paid, and in what that browser remembers.
pub const PROVES_FOR: Duration = Duration::days(30);

/// A checkout session, as far as it proves anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutFact {
    pub id: CheckoutSessionId,
    pub status: CheckoutStatus,
    /// Whether the money has come, or none was to come.
    pub is_paid: bool,
    pub created: Timestamp,
    /// Who paid; `None`: a guest, of whom Stripe keeps no customer.
    pub customer: Option<CustomerId>,
    pub reference: Option<ClientReference>,
    /// Whom the session's own metadata names.
    pub named: Option<UserId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckoutStatus {
    /// The page is open, or a word that this release does not know.
    Open,
    Expired,
    Complete,
}

/// Whether what the session proves is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proven {
    /// The customer is whoever asks.
    Customer(CustomerId),
    /// Nothing was bought yet.
    NotComplete,
    /// It was completed too long ago to prove anything.
    TooOld,
    /// There is no customer to link.
    Guest,
    /// It was bought for somebody else, as it says itself: they, or the owner, are to confirm it.
    ForSomebodyElse,
}

/// `meant`: whom its reference names.
pub fn proves(session: &CheckoutFact, meant: Meant, by: UserId, now: Timestamp) -> Proven {
    match session.status {
        CheckoutStatus::Open => return Proven::NotComplete,
        CheckoutStatus::Expired => return Proven::TooOld,
        CheckoutStatus::Complete => {}
    }
    if now - session.created >= PROVES_FOR {
        return Proven::TooOld;
    }
    if meant.is_another_than(by) || session.named.is_some_and(|named| named != by) {
        return Proven::ForSomebodyElse;
    }
    session.customer.clone().map_or(Proven::Guest, Proven::Customer)
}

/// What our rows say of somebody in one server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Stripe customers that are theirs.
    pub customers: usize,
    /// Roles that they are to have, and that are turned on.
    pub due: usize,
    /// Of these, those that the bot is about to give.
    pub moving: usize,
    /// Of these, those that wait for something that is not time: for them to join, or for the owner.
    pub stuck: usize,
    /// Something of theirs is still to be read from Stripe.
    pub is_reading: bool,
    /// Somebody paid by their personal link, and nobody has said yet that it was them.
    pub is_unconfirmed: bool,
    /// Something of theirs waits for the money, as a bank debit does for days.
    pub is_unpaid: bool,
    /// They were heard to join, and have the server's rules to accept.
    pub has_rules_to_accept: bool,
}

impl Progress {
    /// Whether a role is still to be given.
    pub fn is_waiting(&self) -> bool {
        self.moving + self.stuck > 0
    }
}

/// Whether they are in the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Member,
    Absent,
    /// Discord was not asked, or did not say.
    Unknown,
}

/// How far it is, in the words of whoever waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// All roles are theirs at Discord, by us or by somebody's hand.
    Arrived { roles: usize },
    /// The bot gives them now.
    OnTheWay,
    /// Something in the server keeps the bot from giving them, and its owner is told.
    Delayed,
    /// Stripe is asked what was bought.
    Reading,
    /// They are to accept the server's rules first.
    Rules,
    /// They are to join the server first.
    Join,
    /// The bank has not paid yet.
    Unpaid,
    /// Somebody paid by their personal link: whoever did is to say so.
    Unconfirmed,
    /// What they bought gives no role, or nothing any more.
    NoRole,
    /// Nothing here is theirs.
    Nothing,
}

impl Arrival {
    /// One word, by which a page says what it shows.
    pub fn word(self) -> &'static str {
        match self {
            Self::Arrived { .. } => "arrived",
            Self::OnTheWay => "on_the_way",
            Self::Delayed => "delayed",
            Self::Reading => "reading",
            Self::Rules => "rules",
            Self::Join => "join",
            Self::Unpaid => "unpaid",
            Self::Unconfirmed => "unconfirmed",
            Self::NoRole => "no_role",
            Self::Nothing => "nothing",
        }
    }

    /// Whether it changes by itself, soon: the page is worth looking at again.
    pub fn is_moving(self) -> bool {
        match self {
            Self::OnTheWay | Self::Delayed | Self::Reading | Self::Rules | Self::Join => true,
            Self::Arrived { .. } | Self::Unconfirmed | Self::Unpaid | Self::NoRole | Self::Nothing => false,
        }
    }
}

pub fn arrival(progress: &Progress, presence: Presence) -> Arrival {
    if progress.due > 0 {
        return match presence {
            _ if !progress.is_waiting() => Arrival::Arrived { roles: progress.due },
            Presence::Absent => Arrival::Join,
            _ if progress.has_rules_to_accept => Arrival::Rules,
            _ if progress.moving > 0 => Arrival::OnTheWay,
            Presence::Member | Presence::Unknown => Arrival::Delayed,
        };
    }
    if progress.is_reading {
        Arrival::Reading
    } else if progress.is_unpaid {
        Arrival::Unpaid
    } else if progress.is_unconfirmed {
        Arrival::Unconfirmed
    } else if progress.customers > 0 {
        Arrival::NoRole
    } else {
        Arrival::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: u64) -> UserId {
        UserId::from_u64(id).unwrap()
    }

    const ANA: u64 = 81_384_788_765_712_384;

    fn session() -> CheckoutFact {
        CheckoutFact {
            id: "cs_1".parse().unwrap(),
            status: CheckoutStatus::Complete,
            is_paid: true,
            created: Timestamp::UNIX_EPOCH,
            customer: "cus_1".parse().ok(),
            reference: None,
            named: None,
        }
    }

    #[test]
    fn a_complete_session_proves_its_customer_for_thirty_days() {
        let after = |age: Duration, session: &CheckoutFact| {
            proves(session, Meant::Anybody, user(ANA), Timestamp::UNIX_EPOCH + age)
        };
        let theirs = Proven::Customer("cus_1".parse().unwrap());
        assert_eq!(after(Duration::ZERO, &session()), theirs);
        assert_eq!(after(Duration::days(30) - Duration::SECOND, &session()), theirs);
        assert_eq!(after(Duration::days(30), &session()), Proven::TooOld);
        // Who pays by bank debit has bought, and waits for the bank as linked as anybody.
        assert_eq!(after(Duration::ZERO, &CheckoutFact { is_paid: false, ..session() }), theirs);
        let open = CheckoutFact { status: CheckoutStatus::Open, ..session() };
        assert_eq!(after(Duration::ZERO, &open), Proven::NotComplete);
        let expired = CheckoutFact { status: CheckoutStatus::Expired, ..session() };
        assert_eq!(after(Duration::ZERO, &expired), Proven::TooOld);
        assert_eq!(after(Duration::ZERO, &CheckoutFact { customer: None, ..session() }), Proven::Guest);
    }

    #[test]
    fn a_session_that_names_somebody_else_is_held_by_its_reference_or_its_metadata() {
        let held = |session: &CheckoutFact, meant| {
            proves(session, meant, user(ANA), Timestamp::UNIX_EPOCH) == Proven::ForSomebodyElse
        };
        for (meant, is_held) in [
            (Meant::Anybody, false),
            (Meant::User(user(ANA)), false),
            (Meant::User(user(7)), true),
            (Meant::Link { user: user(ANA), late: false }, false),
            (Meant::Link { user: user(ANA), late: true }, false),
            (Meant::Link { user: user(7), late: false }, true),
            (Meant::Link { user: user(7), late: true }, true),
            (Meant::Unclear, true),
        ] {
            assert_eq!(held(&session(), meant), is_held, "{meant:?}");
        }
        let named = |id| CheckoutFact { named: Some(user(id)), ..session() };
        assert!(held(&named(7), Meant::Anybody) && !held(&named(ANA), Meant::Anybody));
        // One's own link is no word of the owner's.
        assert!(held(&named(7), Meant::Link { user: user(ANA), late: false }));
    }

    #[test]
    fn each_state_has_one_answer() {
        let none = Progress::default();
        let due = Progress { customers: 1, due: 2, moving: 1, ..none };
        let stuck = Progress { moving: 0, stuck: 1, ..due };
        for (progress, presence, expected) in [
            (Progress { moving: 0, ..due }, Presence::Absent, Arrival::Arrived { roles: 2 }),
            (stuck, Presence::Member, Arrival::Delayed),
            (stuck, Presence::Unknown, Arrival::Delayed),
            (stuck, Presence::Absent, Arrival::Join),
            (Progress { has_rules_to_accept: true, ..stuck }, Presence::Member, Arrival::Rules),
            (Progress { moving: 1, ..stuck }, Presence::Member, Arrival::OnTheWay),
            (due, Presence::Member, Arrival::OnTheWay),
            (due, Presence::Unknown, Arrival::OnTheWay),
            (due, Presence::Absent, Arrival::Join),
            (Progress { has_rules_to_accept: true, ..due }, Presence::Member, Arrival::Rules),
            (Progress { has_rules_to_accept: true, ..due }, Presence::Absent, Arrival::Join),
            (
                Progress { customers: 1, is_reading: true, is_unpaid: true, ..none },
                Presence::Member,
                Arrival::Reading,
            ),
            (Progress { customers: 1, is_unpaid: true, ..none }, Presence::Member, Arrival::Unpaid),
            (Progress { is_unconfirmed: true, ..none }, Presence::Absent, Arrival::Unconfirmed),
            (Progress { is_unconfirmed: true, customers: 1, ..none }, Presence::Member, Arrival::Unconfirmed),
            (Progress { is_unconfirmed: true, is_reading: true, ..none }, Presence::Member, Arrival::Reading),
            (Progress { customers: 1, ..none }, Presence::Member, Arrival::NoRole),
            (none, Presence::Member, Arrival::Nothing),
        ] {
            assert_eq!(arrival(&progress, presence), expected, "{progress:?} {presence:?}");
        }
    }
}
