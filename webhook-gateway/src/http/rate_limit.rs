//! A rate limit per caller. In: a key, an address or later an API key. Out: yes, or how long to wait; whoever waits exactly so
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

/// More callers than this share one bucket, or an attacker with many addresses would fill the memory. Only those count whose
/// bucket is not full again: to keep so many below full takes as many requests in the time in which one is refilled.
const MAX_KEYS: usize = 65_536;
/// When there are so many, full buckets are dropped, at most so often: it costs milliseconds.
const PRUNE_EVERY: Duration = Duration::from_secs(1);

/// A token bucket per key.
pub struct RateLimit<K: Hash + Eq + Clone, C: Clock = DefaultClock> {
    each: RateLimiter<K, DefaultKeyedStateStore<K>, C, NoOpMiddleware<C::Instant>>,
    overflow: RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
    max_keys: usize,
    pruned: Mutex<Option<C::Instant>>,
}

impl<K: Hash + Eq + Clone> RateLimit<K> {
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
        let overflow: DefaultDirectRateLimiter = RateLimiter::direct(quota);
        Self { each, overflow, max_keys: MAX_KEYS, pruned: Mutex::default() }
    }
}

impl<K: Hash + Eq + Clone, C: Clock> RateLimit<K, C> {
    /// Takes one, or says how long to wait for one.
    pub fn check(&self, key: &K) -> Result<(), Duration> {
        let now = || self.each.clock().now();
        if self.is_full(now()) {
            return self.overflow.check().map_err(|until| until.wait_time_from(now()));
        }
        self.each.check_key(key).map_err(|until| until.wait_time_from(now()))
    }

    fn is_full(&self, now: C::Instant) -> bool {
        if self.each.len() < self.max_keys {
            return false;
        }
        let mut pruned = self.pruned.lock().unwrap_or_else(PoisonError::into_inner);
        if pruned.is_none_or(|pruned| Duration::from(now.duration_since(pruned)) >= PRUNE_EVERY) {
            *pruned = Some(now);
            self.each.retain_recent();
        }
        self.each.len() >= self.max_keys
    }

    /// Drops buckets that are full again. Call it now and then, or memory grows.
    pub fn prune(&self) {
        self.each.retain_recent();
        self.each.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;
    use shared::http::problem::whole_seconds;

    use super::*;

    fn rate_limit(quota: Quota, max_keys: usize) -> (RateLimit<u32, FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let each = RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock.clone());
        let overflow = RateLimiter::new(quota, InMemoryState::default(), clock.clone());
        (RateLimit { each, overflow, max_keys, pruned: Mutex::default() }, clock)
    }

    #[test]
    fn who_waits_as_long_as_told_is_let_in_a_thousand_times() {
        for quota in [
            Quota::per_minute(NonZeroU32::new(60).unwrap()),
            Quota::per_minute(NonZeroU32::new(7).unwrap()),
            Quota::per_second(NonZeroU32::new(10).unwrap()).allow_burst(NonZeroU32::new(100).unwrap()),
        ] {
            let (limit, clock) = rate_limit(quota, 10);
            let mut waited = 0;
            while waited < 1000 {
                let Err(wait) = limit.check(&1) else { continue };
                let seconds = whole_seconds(wait);
                clock.advance(Duration::from_secs(seconds));
                assert_eq!(limit.check(&1), Ok(()), "after {seconds} s of {wait:?}");
                waited += 1;
            }
        }
    }

    #[test]
    fn callers_that_ask_once_each_use_up_nobody_elses_limit() {
        let quota =
            Quota::per_second(NonZeroU32::new(10).unwrap()).allow_burst(NonZeroU32::new(100).unwrap());
        let (limit, clock) = rate_limit(quota, 50);
        for caller in 1..10_000 {
            limit.check(&caller).unwrap_or_else(|_| panic!("{caller} asks for the first time"));
            clock.advance(Duration::from_millis(25));
        }
        // A burst of its own, not what others have left.
        assert!((0..100).all(|_| limit.check(&0).is_ok()));
    }

    #[test]
    fn each_caller_has_a_limit_of_its_own_until_there_are_too_many() {
        let (limit, clock) = rate_limit(Quota::per_minute(NonZeroU32::new(1).unwrap()), 3);
        for caller in 0..3 {
            assert_eq!(limit.check(&caller), Ok(()));
        }
        assert_eq!(limit.check(&3), Ok(()), "the overflow bucket");
        assert!(limit.check(&4).is_err(), "is shared");
        clock.advance(Duration::from_secs(120));
        limit.prune();
        assert_eq!(limit.check(&5), Ok(()));
    }
}
