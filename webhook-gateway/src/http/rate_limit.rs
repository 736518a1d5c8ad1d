//! What a caller may cost. In: a key, an address or later an API key. Out: yes, or how long to wait; whoever waits exactly so
//! long gets a yes.

use std::{
    hash::Hash,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use governor::{
    DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock, Reference as _},
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed, keyed::DefaultKeyedStateStore},
};

/// More callers than this share one bucket, or an attacker with many addresses would fill the memory. Only those count that
/// still owe something: to keep so many owing takes as many requests in the time in which one is paid back.
const MOST: usize = 65_536;
/// When it is full, whoever owes nothing is forgotten, at most so often: it costs milliseconds.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// A bucket per key.
pub struct Budget<K: Hash + Eq + Clone, C: Clock = DefaultClock> {
    each: RateLimiter<K, DefaultKeyedStateStore<K>, C, NoOpMiddleware<C::Instant>>,
    crowd: RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
    most: usize,
    swept: Mutex<Option<C::Instant>>,
}

impl<K: Hash + Eq + Clone> Budget<K> {
    /// A burst of `burst`, and then so many per second.
    pub fn per_second(rate: NonZeroU32, burst: NonZeroU32) -> Self {
        Self::of(Quota::per_second(rate).allow_burst(burst))
    }

    /// A burst of `rate`, and then so many per minute.
    pub fn per_minute(rate: NonZeroU32) -> Self {
        Self::of(Quota::per_minute(rate))
    }

    fn of(quota: Quota) -> Self {
        let each: DefaultKeyedRateLimiter<K> = RateLimiter::keyed(quota);
        let crowd: DefaultDirectRateLimiter = RateLimiter::direct(quota);
        Self { each, crowd, most: MOST, swept: Mutex::default() }
    }
}

impl<K: Hash + Eq + Clone, C: Clock> Budget<K, C> {
    /// Takes one, or says how long to wait for one.
    pub fn take(&self, key: &K) -> Result<(), Duration> {
        let now = || self.each.clock().now();
        if self.is_full(now()) {
            return self.crowd.check().map_err(|until| until.wait_time_from(now()));
        }
        self.each.check_key(key).map_err(|until| until.wait_time_from(now()))
    }

    fn is_full(&self, now: C::Instant) -> bool {
        if self.each.len() < self.most {
            return false;
        }
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if swept.is_none_or(|swept| Duration::from(now.duration_since(swept)) >= SWEEP_EVERY) {
            *swept = Some(now);
            self.each.retain_recent();
        }
        self.each.len() >= self.most
    }

    /// Forgets whoever has a full bucket again. Call it now and then, or memory grows.
    pub fn forget(&self) {
        self.each.retain_recent();
        self.each.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;
    use shared::http::problem::whole_seconds;

    use super::*;

    fn budget(quota: Quota, most: usize) -> (Budget<u32, FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let each = RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock.clone());
        let crowd = RateLimiter::new(quota, InMemoryState::default(), clock.clone());
        (Budget { each, crowd, most, swept: Mutex::default() }, clock)
    }

    #[test]
    fn who_waits_as_long_as_told_is_let_in_a_thousand_times() {
        for quota in [
            Quota::per_minute(NonZeroU32::new(60).unwrap()),
            Quota::per_minute(NonZeroU32::new(7).unwrap()),
            Quota::per_second(NonZeroU32::new(10).unwrap()).allow_burst(NonZeroU32::new(100).unwrap()),
        ] {
            let (budget, clock) = budget(quota, 10);
            let mut waited = 0;
            while waited < 1000 {
                let Err(wait) = budget.take(&1) else { continue };
                let seconds = whole_seconds(wait);
                clock.advance(Duration::from_secs(seconds));
                assert_eq!(budget.take(&1), Ok(()), "after {seconds} s of {wait:?}");
                waited += 1;
            }
        }
    }

    #[test]
    fn callers_who_ask_once_each_crowd_nobody_out() {
        let quota =
            Quota::per_second(NonZeroU32::new(10).unwrap()).allow_burst(NonZeroU32::new(100).unwrap());
        let (budget, clock) = budget(quota, 50);
        for caller in 1..10_000 {
            budget.take(&caller).unwrap_or_else(|_| panic!("{caller} asks for the first time"));
            clock.advance(Duration::from_millis(25));
        }
        // A burst of its own, not what others have left.
        assert!((0..100).all(|_| budget.take(&0).is_ok()));
    }

    #[test]
    fn one_callers_budget_is_not_anothers_until_there_are_too_many() {
        let (budget, clock) = budget(Quota::per_minute(NonZeroU32::new(1).unwrap()), 3);
        for caller in 0..3 {
            assert_eq!(budget.take(&caller), Ok(()));
        }
        assert_eq!(budget.take(&3), Ok(()), "the crowd's bucket");
        assert!(budget.take(&4).is_err(), "is shared");
        clock.advance(Duration::from_secs(120));
        budget.forget();
        assert_eq!(budget.take(&5), Ok(()));
    }
}
