//! Saying what may happen very often. In: that it happened. Out: now and then, how often it did since it was last said: a flood
//! must not fill the disk.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A line so often, at most.
const EVERY: Duration = Duration::from_secs(10);

/// One thing that may happen very often.
#[derive(Debug, Default)]
pub struct Flood(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    said: Option<Instant>,
    untold: u64,
}

impl Flood {
    /// It happened. `Some`: say so now, and how often since the last time.
    pub fn happened(&self, now: Instant) -> Option<u64> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.untold += 1;
        if counted.said.is_some_and(|said| now < said + EVERY) {
            return None;
        }
        counted.said = Some(now);
        Some(std::mem::take(&mut counted.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_said_at_once_and_the_others_are_counted_until_the_next_line() {
        let (flood, began) = (Flood::default(), Instant::now());
        let after = |seconds| flood.happened(began + Duration::from_secs(seconds));
        assert_eq!([0, 1, 9, 10, 11, 40].map(after), [Some(1), None, None, Some(3), None, Some(2)]);
    }
}
