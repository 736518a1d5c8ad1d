//! Cloudflare's ban of an address that keeps sending invalid requests. In: each answer. Out: a page instead of answers.
//!
//! <https://discord.com/developers/docs/topics/rate-limits#invalid-request-limit-aka-cloudflare-bans>

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::records::Limits;

/// The invalid requests of the last ten minutes, and the ban they led to. All callers are one address here.
#[derive(Debug, Default)]
pub(crate) struct Ban {
    invalid: VecDeque<Instant>,
    until: Option<Instant>,
}

impl Ban {
    /// How long the ban still lasts.
    pub(crate) fn left(&self, now: Instant) -> Option<Duration> {
        self.until?.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    pub(crate) fn count(&mut self, limits: &Limits, now: Instant) {
        self.expire(limits, now);
        self.invalid.push_back(now);
        if limits.invalid_limit > 0 && self.invalid.len() >= limits.invalid_limit as usize {
            self.invalid.clear();
            self.until = Some(now + Duration::from_millis(limits.ban_ms));
        }
    }

    fn expire(&mut self, limits: &Limits, now: Instant) {
        let window = Duration::from_millis(limits.invalid_window_ms);
        while self.invalid.front().is_some_and(|at| now.duration_since(*at) >= window) {
            self.invalid.pop_front();
        }
    }

    /// For `/state`.
    pub(crate) fn shown(&mut self, limits: &Limits, now: Instant) -> Value {
        self.expire(limits, now);
        let left = self.left(now).map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        json!({ "counted": self.invalid.len(), "limit": limits.invalid_limit, "banned_for_ms": left })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_ten_minutes_count() {
        let limits = Limits { invalid_limit: 2, ..Limits::default() };
        let (mut ban, start) = (Ban::default(), Instant::now());
        ban.count(&limits, start);
        ban.count(&limits, start + Duration::from_secs(600));
        assert_eq!(ban.left(start + Duration::from_secs(600)), None);
        ban.count(&limits, start + Duration::from_secs(601));
        assert_eq!(ban.left(start + Duration::from_secs(601)), Some(Duration::from_secs(3600)));
        assert_eq!(ban.left(start + Duration::from_secs(601 + 3600)), None);
    }
}
