//! Discord's rate limits. In: a call and the time. Out: let it pass or not, and the headers that say so.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::records::Limits;
use crate::{Fault, clock};

/// Which limit a call falls under. Role PUT and DELETE of one guild share a bucket, as on the real Discord.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Bucket {
    Roles(u64),
    MemberGet(u64),
    /// As fast as roles, and counted by itself.
    MemberAdd(u64),
    Global,
}

/// A fixed window: it opens with the first call and closes after its length, however the calls are spread.
#[derive(Debug)]
struct Window {
    opened: Instant,
    used: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Meter {
    limits: Limits,
    windows: HashMap<Bucket, Window>,
}

/// What one call says of its bucket.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BucketState {
    bucket: Bucket,
    limit: u32,
    remaining: u32,
    reset_after: Duration,
}

/// Whether a call may pass.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// No limit is set, and no header is sent.
    Free,
    /// One call of the window was used.
    Counted(BucketState),
    /// Nothing is left until the window ends.
    Refused(BucketState),
}

impl Meter {
    /// New limits start with fresh windows.
    pub(crate) fn set(&mut self, limits: Limits) {
        self.limits = limits;
        self.windows.clear();
    }

    /// The limits in force.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn count(&mut self, bucket: Bucket, now: Instant) -> Pass {
        let (limit, window_ms) = match bucket {
            Bucket::Roles(_) | Bucket::MemberAdd(_) => (self.limits.role_limit, self.limits.role_window_ms),
            Bucket::MemberGet(_) => (self.limits.member_get_limit, self.limits.member_get_window_ms),
            Bucket::Global => (self.limits.global_per_second, 1_000),
        };
        if limit == 0 {
            return Pass::Free;
        }
        let length = Duration::from_millis(window_ms);
        let window = self.windows.entry(bucket).or_insert(Window { opened: now, used: 0 });
        if now.duration_since(window.opened) >= length {
            *window = Window { opened: now, used: 0 };
        }
        let reset_after = (window.opened + length).duration_since(now);
        if window.used >= limit {
            return Pass::Refused(BucketState { bucket, limit, remaining: 0, reset_after });
        }
        window.used += 1;
        Pass::Counted(BucketState { bucket, limit, remaining: limit - window.used, reset_after })
    }
}

impl BucketState {
    /// Writes the bucket headers; the global limit has none.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let bucket = match self.bucket {
            Bucket::Roles(_) => "b0bb9027ff6ae0c9619c2719f4a24de5",
            Bucket::MemberGet(_) => "8b4ee3ab6e8a1f3b4dcf1c0e8a5c7d21",
            Bucket::MemberAdd(_) => "d1a2b3c4e5f60718293a4b5c6d7e8f90",
            Bucket::Global => return,
        };
        let wait = self.wait_ms();
        put(headers, "x-ratelimit-limit", &self.limit.to_string());
        put(headers, "x-ratelimit-remaining", &self.remaining.to_string());
        put(headers, "x-ratelimit-reset", &seconds(clock::millis() + wait));
        put(headers, "x-ratelimit-reset-after", &seconds(wait));
        put(headers, "x-ratelimit-bucket", bucket);
    }

    /// The 429 for a call that came too early.
    pub(crate) fn refusal(&self) -> Response {
        let global = self.bucket == Bucket::Global;
        let wait = self.wait_ms();
        let retry_after = serde_json::Number::from_f64(Duration::from_millis(wait).as_secs_f64());
        let message = "You are being rate limited.";
        let body = json!({ "message": message, "retry_after": retry_after, "global": global, "code": 0 });
        let mut answer = (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response();
        let headers = answer.headers_mut();
        self.write(headers);
        put(headers, "retry-after", &wait.div_ceil(1_000).to_string());
        put(headers, "x-ratelimit-scope", if global { "global" } else { "user" });
        if global {
            put(headers, "x-ratelimit-global", "true");
        }
        answer
    }

    /// Rounded up, so that a client that waits exactly this long finds the window closed.
    fn wait_ms(&self) -> u64 {
        u64::try_from(self.reset_after.as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }
}

impl Fault {
    /// The next call is a 429 of a resource that others use too: not the bot's fault, and not counted as invalid.
    pub fn shared_limit(retry_after: f64) -> Self {
        Self::limited(retry_after, false).header("x-ratelimit-scope", "shared")
    }

    /// The next call is a 429 that means every route.
    pub fn global_limit(retry_after: f64) -> Self {
        Self::limited(retry_after, true)
            .header("x-ratelimit-scope", "global")
            .header("x-ratelimit-global", "true")
    }

    fn limited(retry_after: f64, global: bool) -> Self {
        let message =
            if global { "You are being rate limited." } else { "The resource is being rate limited." };
        Self::status(429)
            .header("retry-after", &format!("{:.0}", retry_after.ceil()))
            .body(json!({ "message": message, "retry_after": retry_after, "global": global, "code": 0 }))
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remaining(pass: Pass) -> Option<u32> {
        match pass {
            Pass::Free => None,
            Pass::Counted(state) | Pass::Refused(state) => Some(state.remaining),
        }
    }

    #[test]
    fn the_window_is_fixed_and_belongs_to_one_guild() {
        let mut meter = Meter::default();
        let start = Instant::now();
        for left in (0..10).rev() {
            assert_eq!(remaining(meter.count(Bucket::Roles(1), start)), Some(left));
        }
        let late = start + Duration::from_millis(9_999);
        assert!(matches!(meter.count(Bucket::Roles(1), late), Pass::Refused(_)));
        assert!(matches!(meter.count(Bucket::Roles(2), late), Pass::Counted(_)));
        assert_eq!(remaining(meter.count(Bucket::Roles(1), start + Duration::from_secs(10))), Some(9));
    }

    #[test]
    fn zero_means_unlimited() {
        let mut meter = Meter::default();
        meter.set(Limits::none());
        assert_eq!(meter.count(Bucket::Global, Instant::now()), Pass::Free);
    }
}
