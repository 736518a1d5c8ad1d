//! What Discord's answer means. In: status, headers, body. Out: a [`CallOutcome`]. By code, never by text.
//!
//! Codes: <https://discord.com/developers/docs/topics/opcodes-and-status-codes#json>; 429s:
//! <https://discord.com/developers/docs/topics/rate-limits>.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde::Deserialize;
use shared::domain::delivery::outcome::{CallOutcome, LimitScope, Transient};

/// What Discord asks for is believed up to here.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// "Wait no time at all" would be asked again at once, and each 429 counts towards a ban.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// A 429 that does not say for how long, or that is not Discord's own.
const DEFAULT_WAIT: Duration = Duration::from_secs(60);

/// Discord's error body; every field may be missing, since a proxy may have answered.
#[derive(Debug, Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    code: u32,
    #[serde(default)]
    retry_after: Option<f64>,
    #[serde(default)]
    global: Option<bool>,
}

pub fn classify(status: u16, headers: &HeaderMap, body: &[u8]) -> CallOutcome {
    if (200..300).contains(&status) {
        return CallOutcome::Done;
    }
    // Discord's errors are objects. serde would fill the fields from a proxy's list too, in their order.
    let object = Some(body).filter(|body| body.trim_ascii_start().starts_with(b"{"));
    let error: ErrorBody = object.and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
    // Discord gives each of its own refusals a code.
    let cloudflares = error.code == 40333 || (status == 403 && object.is_none());
    match (status, error.code) {
        _ if cloudflares => limited(headers, &ErrorBody { global: None, ..error }),
        (429, _) => limited(headers, &error),
        // The guild's, or a channel's, limit of writes: a 429 by another name.
        (_, 20028 | 20029) => limited(headers, &ErrorBody { global: Some(false), ..error }),
        (401, _) | (_, 40001 | 50014) => CallOutcome::TokenRejected,
        (404, 10007 | 10013) => CallOutcome::MemberGone,
        (404, 10011) => CallOutcome::RoleGone,
        (_, code @ (10004 | 50001)) => CallOutcome::GuildGone { code },
        // 408, or an answer without Discord's code: a proxy in between, not Discord's last word.
        (500.. | 408, _) | (_, 130_000) | (..=402 | 404.., 0) => {
            CallOutcome::Transient(Transient::Status(status))
        }
        // No other code of Discord's says that it is about the role.
        (403, code @ (50013 | 60003)) => CallOutcome::Forbidden { code },
        (status, code) => CallOutcome::Refused { status, code },
    }
}

fn limited(headers: &HeaderMap, error: &ErrorBody) -> CallOutcome {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let asked = [header("retry-after").and_then(|text| text.parse().ok()), error.retry_after];
    // The header is whole seconds, the body exact; the longer one is never wrong.
    let after = asked.into_iter().flatten().map(wait).max().unwrap_or(DEFAULT_WAIT).max(SHORTEST_WAIT);
    match error.global {
        // Not Discord's own answer: Cloudflare refuses this address.
        None => CallOutcome::RateLimited { after: after.max(DEFAULT_WAIT), scope: LimitScope::Everything },
        Some(global) => {
            let everything = global || header("x-ratelimit-global").is_some();
            let scope = if everything { LimitScope::Everything } else { LimitScope::Guild };
            CallOutcome::RateLimited { after, scope }
        }
    }
}

/// Odd values must neither panic nor stop us for a year.
fn wait(seconds: f64) -> Duration {
    if !seconds.is_finite() || seconds < 0.0 {
        return DEFAULT_WAIT;
    }
    Duration::from_secs_f64(seconds.min(LONGEST_WAIT.as_secs_f64()))
}

/// How long the bucket is empty, if this call took its last token.
pub fn bucket_wait(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<f64>().ok();
    let empty = number("x-ratelimit-remaining")? < 1.0;
    let reset_after = number("x-ratelimit-reset-after")?;
    (empty && reset_after.is_finite() && reset_after > 0.0).then(|| wait(reset_after))
}

/// Whether Discord counts this answer towards its ban of addresses that keep sending invalid requests.
pub fn counts_as_invalid(status: u16, headers: &HeaderMap) -> bool {
    let shared = headers.get("x-ratelimit-scope").is_some_and(|scope| scope == "shared");
    matches!(status, 401 | 403) || (status == 429 && !shared)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_str(v).unwrap())).collect()
    }

    #[test]
    fn the_code_table() {
        for (status, body, expected) in [
            (204, "", CallOutcome::Done),
            (200, "{}", CallOutcome::Done),
            (404, r#"{"code":10007}"#, CallOutcome::MemberGone),
            (404, r#"{"code":10013}"#, CallOutcome::MemberGone),
            (404, r#"{"code":10011}"#, CallOutcome::RoleGone),
            (404, r#"{"code":10004}"#, CallOutcome::GuildGone { code: 10004 }),
            (403, r#"{"code":50001}"#, CallOutcome::GuildGone { code: 50001 }),
            (403, r#"{"code":50013}"#, CallOutcome::Forbidden { code: 50013 }),
            (401, r#"{"code":0}"#, CallOutcome::TokenRejected),
            (401, "<html>", CallOutcome::TokenRejected),
            (500, "", CallOutcome::Transient(Transient::Status(500))),
            (502, "<html>bad gateway</html>", CallOutcome::Transient(Transient::Status(502))),
            (403, r#"{"code":130000}"#, CallOutcome::Transient(Transient::Status(403))),
            (400, r#"{"code":50035}"#, CallOutcome::Refused { status: 400, code: 50035 }),
            (403, r#"{"code":60003}"#, CallOutcome::Forbidden { code: 60003 }),
            // What we have no rule for is not about the role.
            (403, r#"{"code":50600}"#, CallOutcome::Refused { status: 403, code: 50600 }),
            (403, r#"{"code":0}"#, CallOutcome::Refused { status: 403, code: 0 }),
            (404, r#"{"code":0}"#, CallOutcome::Transient(Transient::Status(404))),
            (408, "", CallOutcome::Transient(Transient::Status(408))),
            (302, "", CallOutcome::Transient(Transient::Status(302))),
        ] {
            assert_eq!(classify(status, &HeaderMap::new(), body.as_bytes()), expected, "{status} {body}");
        }
    }

    #[test]
    fn a_429_says_how_long_and_for_whom() {
        use LimitScope::{Everything, Guild};
        for (pairs, body, seconds, scope) in [
            (&[("retry-after", "2")][..], r#"{"retry_after":1.5,"global":false}"#, 2.0, Guild),
            (&[], r#"{"retry_after":1.5,"global":false}"#, 1.5, Guild),
            (&[("retry-after", "0")], r#"{"retry_after":0.0,"global":false}"#, 1.0, Guild),
            (
                &[("retry-after", "1337"), ("x-ratelimit-reset-after", "64")],
                r#"{"global":false}"#,
                1337.0,
                Guild,
            ),
            (&[("retry-after", "3")], r#"{"retry_after":3.0,"global":true}"#, 3.0, Everything),
            (&[("retry-after", "3"), ("x-ratelimit-global", "true")], r#"{"global":false}"#, 3.0, Everything),
            // Cloudflare: no JSON of Discord's. Never less than a minute.
            (&[("retry-after", "5")], "error code: 1015", 60.0, Everything),
            (&[("retry-after", "900")], "<html>", 900.0, Everything),
            (&[], "", 60.0, Everything),
            // Odd values.
            (&[("retry-after", "-1")], r#"{"global":false}"#, 60.0, Guild),
            (&[("retry-after", "nan")], r#"{"global":false}"#, 60.0, Guild),
            (&[("retry-after", "inf")], r#"{"global":false}"#, 60.0, Guild),
            (&[("retry-after", "1e30")], r#"{"global":false}"#, 3600.0, Guild),
        ] {
            let expected = CallOutcome::RateLimited { after: Duration::from_secs_f64(seconds), scope };
            assert_eq!(classify(429, &headers(pairs), body.as_bytes()), expected, "{pairs:?} {body}");
        }
    }

    #[test]
    fn a_block_by_cloudflare_stops_everything_and_a_limit_of_writes_the_guild() {
        let minute = |scope| CallOutcome::RateLimited { after: DEFAULT_WAIT, scope };
        for (status, body, scope) in [
            (403, r#"{"message":"internal network error","code":40333}"#, LimitScope::Everything),
            (400, r#"{"code":40333,"global":false}"#, LimitScope::Everything),
            (403, "<html>Attention Required! | Cloudflare</html>", LimitScope::Everything),
            (403, "", LimitScope::Everything),
            (403, "error code: 1020", LimitScope::Everything),
            (403, r#"{"code":20028}"#, LimitScope::Guild),
            (400, r#"{"code":20029}"#, LimitScope::Guild),
        ] {
            assert_eq!(
                classify(status, &HeaderMap::new(), body.as_bytes()),
                minute(scope),
                "{status} {body}"
            );
        }
        let asked = headers(&[("retry-after", "900")]);
        let longer =
            CallOutcome::RateLimited { after: Duration::from_secs(900), scope: LimitScope::Everything };
        assert_eq!(classify(403, &asked, br#"{"code":40333}"#), longer);
    }

    #[test]
    fn an_empty_bucket_is_seen_before_it_hurts() {
        let empty = headers(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset-after", "4.25")]);
        assert_eq!(bucket_wait(&empty), Some(Duration::from_millis(4250)));
        let one_left = headers(&[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset-after", "4.25")]);
        assert_eq!(bucket_wait(&one_left), None);
        assert_eq!(bucket_wait(&HeaderMap::new()), None);
        assert_eq!(
            bucket_wait(&headers(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset-after", "nan")])),
            None
        );
    }

    #[test]
    fn a_shared_429_is_not_our_fault() {
        assert!(counts_as_invalid(429, &headers(&[("x-ratelimit-scope", "user")])));
        assert!(!counts_as_invalid(429, &headers(&[("x-ratelimit-scope", "shared")])));
        assert!(counts_as_invalid(403, &HeaderMap::new()));
        assert!(!counts_as_invalid(404, &HeaderMap::new()));
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_a_panic(
            status in 100_u16..600, retry_after in "\\PC{0,20}", body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut map = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_str(&retry_after) {
                map.insert("retry-after", value.clone());
                map.insert("x-ratelimit-reset-after", value);
                map.insert("x-ratelimit-remaining", HeaderValue::from_static("0"));
            }
            if let CallOutcome::RateLimited { after, .. } = classify(status, &map, &body) {
                prop_assert!(after <= LONGEST_WAIT);
            }
            prop_assert!(bucket_wait(&map).is_none_or(|wait| wait <= LONGEST_WAIT));
        }
    }
}
