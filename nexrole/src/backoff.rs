//! When to start again what has ended. In: how long it ran. Out: how long to wait.

use std::time::Duration;

/// Waits before starts 1, 2, 3, …: 250ms, 500ms, 1s, 2s, … 1m; from the beginning after it ran for a minute.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(60);
const STEADY: Duration = Duration::from_secs(60);

/// The waits of one process.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Backoff {
    /// The wait after it ran for so long.
    pub(crate) fn after(&mut self, ran: Duration) -> Duration {
        let wait = if ran >= STEADY { FIRST } else { self.next };
        self.next = (wait * 2).min(LONGEST);
        wait
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
        assert_eq!((0..9).map(|_| after(1)).last(), Some(60_000));
        assert_eq!([after(60), after(0)], [250, 500]);
    }
}
