//! Which of the next calls go wrong, and how. In: faults that a test queued. Out: the fault for one call, if any.

use std::collections::BTreeMap;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How long a hanging call hangs unless told otherwise: longer than any client waits.
const HANG_MS: u64 = 3_600_000;

/// What happens to a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Answered with the given status, headers and body; nothing is applied.
    #[default]
    Status,
    /// Waits `hang_ms`, then is handled normally. A client that gives up before that has changed nothing.
    Hang,
    /// The change is made at once, but the answer is held back for `hang_ms`.
    ApplyThenHang,
    /// The connection is closed without an answer; nothing is applied.
    Reset,
    /// The change is made, then the connection is closed without an answer.
    ApplyThenReset,
    /// The change is made, but the connection ends in the middle of the answer's body. An answer without a body is
    /// lost whole.
    Truncate,
    /// What Cloudflare shows to an address that sent too many invalid requests: a page, no JSON. Nothing is applied.
    /// Also what a call is marked with that the sandbox banned by itself.
    Ban,
}

/// A fault for the next `times` calls that match. Unset conditions match everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fault {
    /// Only calls with this HTTP method.
    pub method: Option<String>,
    /// Only calls whose path and query contain this text.
    pub path_contains: Option<String>,
    /// How many calls are hit.
    pub times: u32,
    /// What happens to them.
    pub kind: FaultKind,
    /// The status of a `Status` fault; 500 if unset.
    pub status: Option<u16>,
    /// Additional response headers of a `Status` fault.
    pub headers: BTreeMap<String, String>,
    /// The JSON body of a `Status` fault; the vendor's usual error shape if unset.
    pub body: Option<Value>,
    /// The body of a `Status` fault, byte for byte, instead of JSON. Its type is `text/html` unless a header says so.
    pub text: Option<String>,
    /// How long `Hang` and `ApplyThenHang` wait, in milliseconds.
    pub hang_ms: u64,
}

impl Default for Fault {
    fn default() -> Self {
        Self {
            method: None,
            path_contains: None,
            times: 1,
            kind: FaultKind::Status,
            status: None,
            headers: BTreeMap::new(),
            body: None,
            text: None,
            hang_ms: HANG_MS,
        }
    }
}

impl Fault {
    /// The next call is answered with this status.
    pub fn status(status: u16) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    /// The next call hangs before anything is applied.
    pub fn hang() -> Self {
        Self { kind: FaultKind::Hang, ..Self::default() }
    }

    /// The next call is applied, but its answer never comes.
    pub fn apply_then_hang() -> Self {
        Self { kind: FaultKind::ApplyThenHang, ..Self::default() }
    }

    /// The next call's connection is closed without an answer.
    pub fn reset() -> Self {
        Self { kind: FaultKind::Reset, ..Self::default() }
    }

    /// The next call is applied, but its connection is closed without an answer.
    pub fn apply_then_reset() -> Self {
        Self { kind: FaultKind::ApplyThenReset, ..Self::default() }
    }

    /// The next call is applied, but its answer breaks off in the middle.
    pub fn truncate() -> Self {
        Self { kind: FaultKind::Truncate, ..Self::default() }
    }

    /// The next call is refused by Cloudflare, for so many seconds as it says.
    pub fn ban(retry_after_seconds: u64) -> Self {
        let fault = Self { kind: FaultKind::Ban, ..Self::default() };
        fault.header("retry-after", &retry_after_seconds.to_string())
    }

    /// Only for calls with this method whose path contains this text.
    #[must_use]
    pub fn on(mut self, method: &str, path_contains: &str) -> Self {
        self.method = Some(method.to_owned());
        self.path_contains = Some(path_contains.to_owned());
        self
    }

    /// For this many calls.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// With this response header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With this response body.
    #[must_use]
    pub fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// With this response body, which need not be JSON.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.text = Some(text.to_owned());
        self
    }

    /// Hanging only this many milliseconds.
    #[must_use]
    pub fn for_ms(mut self, hang_ms: u64) -> Self {
        self.hang_ms = hang_ms;
        self
    }

    fn matches(&self, method: &str, path_and_query: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.path_contains.as_ref().is_none_or(|wanted| path_and_query.contains(wanted.as_str()))
    }
}

/// Cloudflare's answer to an address that it has banned.
pub(crate) fn ban_page(retry_after_seconds: u64) -> Response {
    let page = "<!DOCTYPE html>\n<html><head><title>Access denied | discord.com used Cloudflare to restrict access</title>\
                </head><body><h1>Error 1015</h1><p>You are being rate limited.</p></body></html>\n";
    let html = (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=UTF-8"));
    let retry_after = (header::RETRY_AFTER, HeaderValue::from(retry_after_seconds));
    (StatusCode::TOO_MANY_REQUESTS, [html, retry_after], page).into_response()
}

/// The faults still to come, in the order they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Uses up one hit of the first fault that matches.
    pub(crate) fn take(&mut self, method: &str, path_and_query: &str) -> Option<Fault> {
        let at = self.0.iter().position(|fault| fault.times > 0 && fault.matches(method, path_and_query))?;
        self.0[at].times -= 1;
        let hit = self.0[at].clone();
        self.0.retain(|fault| fault.times > 0);
        Some(hit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_only_matching_calls_and_only_so_often() {
        let mut faults = Faults::default();
        faults.add(Fault::status(503).on("PUT", "/roles/").times(2));
        assert_eq!(faults.take("GET", "/guilds/1/roles/2"), None);
        assert_eq!(faults.take("PUT", "/guilds/1"), None);
        assert!(faults.take("put", "/guilds/1/roles/2").is_some());
        assert!(faults.take("PUT", "/guilds/1/roles/2").is_some());
        assert_eq!(faults.take("PUT", "/guilds/1/roles/2"), None);
    }

    #[test]
    fn a_fault_needs_no_more_than_its_kind() {
        let fault: Fault = serde_json::from_str(r#"{"kind":"apply_then_hang"}"#).unwrap();
        assert_eq!(fault, Fault::apply_then_hang());
    }
}
