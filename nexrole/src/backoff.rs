//! When to start again what has ended. In: how long it ran. Out: how long to wait.

use std::time::Duration;

use shared::domain::delivery::backoff::{Schedule, doubling};

/// Waits before starts 1, 2, 3, …: 250ms, 500ms, 1s, 2s, … 32s, 1m; from the beginning after it ran for a minute.
const WAITS: Schedule =
    Schedule { first: &doubling::<8>(Duration::from_millis(250)), then: Duration::from_secs(60) };
const STEADY: Duration = Duration::from_secs(60);

/// The waits of one process.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    /// Since it last ran steadily.
    ended: u32,
}

impl Backoff {
    /// The wait after it ran for so long.
    pub(crate) fn after(&mut self, ran: Duration) -> Duration {
        let before = if ran >= STEADY { 0 } else { self.ended };
        self.ended = before.saturating_add(1);
        WAITS.wait(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_at_once_waits_longer_each_time_and_what_ran_steadily_does_not() {
        let mut backoff = Backoff::default();
        let mut after = |ran| backoff.after(Duration::from_secs(ran)).as_millis();
        assert_eq!([after(0), after(0), after(59), after(0)], [250, 500, 1000, 2000]);
        assert_eq!([0; 6].map(|_| after(1)), [4000, 8000, 16_000, 32_000, 60_000, 60_000]);
        assert_eq!([after(60), after(0)], [250, 500]);
    }
}
