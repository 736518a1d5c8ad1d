//! What Discord, or a proxy in between, can answer. In: any bytes. Out: nothing, or a panic that names a broken promise. A plain
//! function, for proptest, for the seeds and for libFuzzer (docs/fuzzing.md).

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use shared::domain::delivery::outcome::CallOutcome;

use super::classify::{bucket_wait, classify, counts_as_invalid};

const LONGEST: Duration = Duration::from_secs(3600);

/// Two bytes of status, header lines, an empty line, a body: no wait is longer than an hour, none after a 429 shorter than a
/// second; and what is said about member, role or server is what another reader of JSON finds in the body.
pub fn answer(data: &[u8]) {
    let [high, low, rest @ ..] = data else { return };
    let status = 100 + u16::from_be_bytes([*high, *low]) % 500;
    let mut headers = HeaderMap::new();
    let mut rest = rest;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { break };
        let name = HeaderName::from_bytes(&line[..colon]);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(&line[colon + 1..])) {
            headers.append(name, value);
        }
    }
    let outcome = classify(status, &headers, rest);
    if let CallOutcome::RateLimited { after, .. } = outcome {
        assert!(after >= Duration::from_secs(1) && after <= LONGEST, "{status}: {after:?}");
        // Cloudflare's page, or a code that says so.
        let said = |code: u32| serde_json::from_slice::<Value>(rest).is_ok_and(|body| body["code"] == code);
        let blocked = status == 403 && !rest.trim_ascii_start().starts_with(b"{");
        let known = [40_333, 20_028, 20_029].into_iter().any(said);
        // A body that two readers of JSON read differently, as one with the same field twice, is the narrower one's.
        assert!(
            status == 429 || blocked || known || serde_json::from_slice::<Value>(rest).is_err(),
            "{status}"
        );
    }
    let codes: &[u32] = match outcome {
        CallOutcome::MemberGone => &[10_007, 10_013],
        CallOutcome::RoleGone => &[10_011],
        CallOutcome::GuildGone { .. } => &[10_004, 50_001],
        CallOutcome::Forbidden { code } | CallOutcome::Refused { code, .. } => &[code],
        _ => &[],
    };
    if let (false, Ok(other)) = (codes.is_empty(), serde_json::from_slice::<Value>(rest)) {
        // 0 is Discord's for none in particular, and ours for one that is none of its numbers.
        let named = other["code"].as_u64().and_then(|code| u32::try_from(code).ok()).unwrap_or(0);
        assert!(codes.contains(&named), "{outcome:?} of {other}");
    }
    assert!(bucket_wait(&headers).is_none_or(|wait| wait <= LONGEST));
    assert!(!counts_as_invalid(status, &headers) || matches!(status, 401 | 403 | 429));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answers() -> impl Strategy<Value = Vec<u8>> {
        let number = "(-?[0-9]{1,20}(\\.[0-9]{1,20})?(e-?[0-9]{1,3})?|nan|inf|-inf|)";
        let header = format!("(retry-after|x-ratelimit-(remaining|reset-after|scope|global)):{number}\n");
        let body = format!(r#"\{{"code":{number},"retry_after":{number},"global":(true|false|null|1)\}}"#);
        let near = proptest::string::string_regex(&format!("({header}){{0,6}}\n{body}")).expect("a pattern");
        // 429 is 100 + 329.
        let near = (prop_oneof![Just(329_u16), any::<u16>()], near)
            .prop_map(|(status, text)| [&status.to_be_bytes()[..], text.as_bytes()].concat());
        prop_oneof![proptest::collection::vec(any::<u8>(), 0..300), near]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn no_answer_makes_the_bot_panic_or_wait_for_ever(data in answers()) {
            answer(&data);
        }
    }

    #[test]
    fn a_list_is_no_error_of_discords() {
        answer(b"\x01\x30\n[10007,1.5,false]");
        let headers = HeaderMap::new();
        let proxys = CallOutcome::Transient(shared::domain::delivery::outcome::Transient::Status(404));
        assert_eq!(classify(404, &headers, b"[10007]"), proxys);
    }
}
