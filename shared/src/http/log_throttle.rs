//! Limits how often one log line is written, so that a flood of the same event cannot fill the disk. In: each occurrence. Out: now
//! and then, how many there were since the last line.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const LINE_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub struct LogThrottle(Mutex<Counter>);

#[derive(Debug, Default)]
struct Counter {
    last_line: Option<Instant>,
    unreported: u64,
}

impl LogThrottle {
    /// Counts one occurrence. `Some(count)` when a line is due: the occurrences since the last line, this one included.
    pub fn record(&self, now: Instant) -> Option<u64> {
        let mut counter = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counter.unreported += 1;
        if counter.last_line.is_some_and(|last| now < last + LINE_EVERY) {
            return None;
        }
        counter.last_line = Some(now);
        Some(std::mem::take(&mut counter.unreported))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_logged_at_once_and_the_others_are_counted_until_the_next_line() {
        let (throttle, began) = (LogThrottle::default(), Instant::now());
        let after = |seconds| throttle.record(began + Duration::from_secs(seconds));
        assert_eq!([0, 1, 9, 10, 11, 40].map(after), [Some(1), None, None, Some(3), None, Some(2)]);
    }
}
