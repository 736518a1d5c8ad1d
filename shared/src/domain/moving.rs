//! A customer changes hands, from one Discord account to another, by its members' own word. In: in whose hands it is, or was last, since
//! when, and the time. Out: whether it may, or from when on. An owner asks nobody.

use time::Duration;

use crate::{clock::Timestamp, ids::UserId};

/// For so long after a claim it may go to another account at once: who claimed with the wrong account notices soon, and has proven both.
pub const MENDS_FOR: Duration = Duration::hours(24);
/// Otherwise it stays for so long with whoever has it: a role that goes round among friends once a week is worth little to them, and who
/// really has another account now waits, or asks the owner.
pub const RESTS_FOR: Duration = Duration::days(7);

/// In whose hands a customer is; or was last, if nobody has it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hands {
    pub user: UserId,
    /// Since when. Giving it up and claiming it again does not begin anew.
    pub since: Timestamp,
    /// They have it from somebody else.
    pub was_moved: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MayMove {
    Yes,
    /// Not before then.
    From(Timestamp),
}

impl Hands {
    /// Whether it may go to another account.
    pub fn may_move(&self, now: Timestamp) -> MayMove {
        let rests_until = self.since + RESTS_FOR;
        let mends = !self.was_moved && now < self.since + MENDS_FOR;
        if mends || now >= rests_until { MayMove::Yes } else { MayMove::From(rests_until) }
    }

    /// Somebody takes what nobody has, and these had it last: in whose hands it is then.
    pub fn taken_by(self, user: UserId, now: Timestamp) -> Result<Self, Timestamp> {
        if user == self.user {
            return Ok(self);
        }
        match self.may_move(now) {
            MayMove::Yes => Ok(Self { user, since: now, was_moved: true }),
            MayMove::From(at) => Err(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn user(id: u64) -> UserId {
        UserId::from_u64(id).unwrap()
    }

    fn hands(was_moved: bool) -> Hands {
        Hands { user: user(1), since: Timestamp::UNIX_EPOCH, was_moved }
    }

    fn after(age: Duration) -> Timestamp {
        Timestamp::UNIX_EPOCH + age
    }

    #[test]
    fn a_mistake_is_mended_within_a_day_and_then_it_rests_for_a_week() {
        let rests = MayMove::From(after(Duration::days(7)));
        for (age, claimed, moved) in [
            (Duration::ZERO, MayMove::Yes, rests),
            (Duration::hours(24) - Duration::SECOND, MayMove::Yes, rests),
            (Duration::hours(24), rests, rests),
            (Duration::days(7) - Duration::SECOND, rests, rests),
            (Duration::days(7), MayMove::Yes, MayMove::Yes),
        ] {
            let found = [false, true].map(|was_moved| hands(was_moved).may_move(after(age)));
            assert_eq!(found, [claimed, moved], "{age}");
        }
    }

    #[test]
    fn who_gave_it_up_may_have_it_back_and_begins_nothing_anew() {
        for was_moved in [false, true] {
            let back = hands(was_moved).taken_by(user(1), after(Duration::days(3)));
            assert_eq!(back, Ok(hands(was_moved)));
        }
        let at = after(Duration::days(3));
        assert_eq!(hands(false).taken_by(user(2), at), Err(after(Duration::days(7))));
        let at = after(Duration::hours(1));
        let moved = Hands { user: user(2), since: at, was_moved: true };
        assert_eq!(hands(false).taken_by(user(2), at), Ok(moved));
    }

    proptest! {
        /// However they give it up and take it: three accounts in a row have it only with a week between.
        #[test]
        fn a_role_does_not_go_round(tries in proptest::collection::vec((1_u64..4, 0_i64..100), 1..60)) {
            let mut now = Timestamp::UNIX_EPOCH;
            let mut has = hands(false);
            let mut changes = Vec::new();
            for (id, hours) in tries {
                now += Duration::hours(hours);
                if let Ok(taken) = has.taken_by(user(id), now) {
                    if taken.user != has.user {
                        changes.push(now);
                    }
                    has = taken;
                }
            }
            for pair in changes.windows(2) {
                prop_assert!(pair[1] - pair[0] >= RESTS_FOR, "{changes:?}");
            }
        }
    }
}
