//! When refused roles are tried again after roles changed. In: each change, and the time. Out: whether, and how long from now.
//!
//! Dragging a role sends an event for every role it passes, and some servers change a role's colour every few seconds. A
//! try costs a refused call for each role, and Discord bans for those.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use shared::ids::GuildId;

/// From a change to the try: the rest of the dragging comes in between.
const QUIET: Duration = Duration::from_secs(5);
/// Without a change for so long a guild is as new; the hourly probe goes on all the time.
const FORGET: Duration = Duration::from_secs(3600);

/// The guilds whose roles changed lately.
#[derive(Debug, Default)]
pub struct RoleChanges(HashMap<GuildId, Tries>);

#[derive(Debug)]
struct Tries {
    next: Instant,
    /// After the next one: 10 s, 20 s, …, up to an hour.
    gap: Duration,
}

impl RoleChanges {
    /// Roles of a guild changed. `Some`: try the refused ones so long from now; `None`: that will be done already.
    pub fn heard(&mut self, guild: GuildId, now: Instant) -> Option<Duration> {
        self.0.retain(|_, tries| now.saturating_duration_since(tries.next) < FORGET);
        let tries = self.0.entry(guild).or_insert(Tries { next: now, gap: Duration::ZERO });
        if tries.next > now {
            return None;
        }
        tries.gap = (tries.gap * 2).clamp(QUIET, FORGET);
        tries.next = now + tries.gap;
        Some(tries.gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries(every: Duration, times: u32) -> u32 {
        let (mut changes, began) = (RoleChanges::default(), Instant::now());
        let guild = GuildId::from_u64(1).unwrap();
        let heard = (0..times).filter(|&n| changes.heard(guild, began + every * n).is_some());
        u32::try_from(heard.count()).unwrap()
    }

    #[test]
    fn a_storm_is_two_tries_at_most() {
        assert_eq!(tries(Duration::ZERO, 50), 1);
        assert_eq!(tries(Duration::from_millis(200), 50), 2);
    }

    #[test]
    fn a_role_that_always_changes_colour_stays_far_below_the_limit() {
        assert!(tries(Duration::from_secs(3), 200) <= 8, "in ten minutes");
        assert!(tries(Duration::from_secs(3), 28_800) <= 36, "in a day");
    }

    #[test]
    fn other_guilds_and_later_changes_are_tried_soon() {
        let (mut changes, now) = (RoleChanges::default(), Instant::now());
        let guild = |n| GuildId::from_u64(n).unwrap();
        for n in 0..10 {
            changes.heard(guild(1), now + Duration::from_secs(60) * n);
        }
        assert_eq!(changes.heard(guild(2), now), Some(QUIET));
        assert_eq!(changes.heard(guild(1), now + FORGET * 3), Some(QUIET));
    }
}
