//! Discord refuses a whole server, or tells the bot to wait with it. In: what holds it up. Out: when something is tried again.

use crate::clock::Timestamp;

/// A server that Discord refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Discord's JSON error code; `None`: the Gateway said that the bot was removed.
    pub code: Option<u32>,
    /// When it is tried again.
    pub until: Timestamp,
}

/// Why nothing is changed in a whole server for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// Discord refuses it.
    Refused(Refusal),
    /// Discord told the bot to wait until then; nothing was refused.
    ToldToWait(Timestamp),
}

impl Closed {
    /// When the next call is made, unless something happens before.
    pub fn until(self) -> Timestamp {
        match self {
            Self::Refused(refusal) => refusal.until,
            Self::ToldToWait(until) => until,
        }
    }
}

/// When something is tried that is due at `due`: not before any of these ends.
pub fn tried_at(due: Timestamp, closed: Option<Closed>, role_probe: Option<Timestamp>) -> Timestamp {
    [closed.map(Closed::until), role_probe].into_iter().flatten().fold(due, Timestamp::max)
}

#[cfg(test)]
mod tests {
    use time::{Duration, OffsetDateTime};

    use super::*;

    #[test]
    fn what_is_due_waits_for_the_last_of_what_holds_it_up() {
        let at = |minutes| OffsetDateTime::UNIX_EPOCH + Duration::minutes(minutes);
        let refused = |minutes| Some(Closed::Refused(Refusal { code: None, until: at(minutes) }));
        for (due, closed, probe, expected) in [
            (1, None, None, 1),
            (1, refused(5), None, 5),
            (9, refused(5), None, 9),
            (1, Some(Closed::ToldToWait(at(3))), Some(at(7)), 7),
            (1, None, Some(at(0)), 1),
        ] {
            assert_eq!(tried_at(at(due), closed, probe), at(expected));
        }
    }
}
