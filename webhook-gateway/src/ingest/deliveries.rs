//! Which way events come. In: what a poll finds. Out: how many webhooks had brought, and how many they had not.

use std::time::Duration;

use shared::{clock::Timestamp, store::stripe_events::Recorded};

/// A webhook that is not there by then is not only slow.
const LATE: Duration = Duration::from_secs(120);

/// The events of one poll that were made since the poll before: of older ones nobody knows any more which of the two brought them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// Recorded before the poll found them.
    pub brought: i32,
    /// Recorded by the poll, though webhooks had had their time.
    pub missed: i32,
}

impl Deliveries {
    /// `since`: when the poll before was made; `None`: there was none.
    pub fn count(
        &mut self,
        recorded: Recorded,
        created: Option<Timestamp>,
        since: Option<Timestamp>,
        now: Timestamp,
    ) {
        let (Some(created), Some(since)) = (created, since) else { return };
        if created <= since {
            return;
        }
        match recorded {
            Recorded::Duplicate => self.brought += 1,
            Recorded::New if now > created + LATE => self.missed += 1,
            // Its webhook may be on its way.
            Recorded::New => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_says_something_only_if_it_is_new_and_not_too_new() {
        let at = |seconds: i32| Timestamp::from_unix_timestamp(1_800_000_000 + i64::from(seconds)).unwrap();
        let (since, now) = (Some(at(0)), at(600));
        for (recorded, created, since, expected) in [
            (Recorded::Duplicate, Some(at(1)), since, (1, 0)),
            (Recorded::Duplicate, Some(at(600)), since, (1, 0)),
            (Recorded::New, Some(at(479)), since, (0, 1)),
            (Recorded::New, Some(at(480)), since, (0, 0)),
            (Recorded::New, Some(at(0)), since, (0, 0)),
            (Recorded::Duplicate, Some(at(0)), since, (0, 0)),
            (Recorded::New, None, since, (0, 0)),
            (Recorded::New, Some(at(1)), None, (0, 0)),
        ] {
            let mut found = Deliveries::default();
            found.count(recorded, created, since, now);
            assert_eq!((found.brought, found.missed), expected, "{recorded:?} {created:?} {since:?}");
        }
    }
}
