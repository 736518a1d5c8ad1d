//! Every vendor call that was made. In: the start and the end of a call. Out: the calls in order of arrival.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::fault::FaultKind;

/// Bodies are kept up to this many bytes in all; then the oldest are forgotten, so that a long benchmark fits.
const KEPT_BYTES: usize = 32 * 1024 * 1024;

/// One call to a vendor's API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Position in order of arrival, from 1; never reused.
    pub seq: u64,
    /// HTTP method, upper case.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Path and query as sent.
    pub path_and_query: String,
    /// The status of the answer; `None` while there is none (it hangs, was cut, or the client gave up).
    pub status: Option<u16>,
    /// Discord: the decoded `X-Audit-Log-Reason`.
    pub reason: Option<String>,
    /// Discord: the `X-RateLimit-Scope` of the answer.
    pub scope: Option<String>,
    /// The fault that happened to it; `None` if the answer is what the vendor would say.
    #[serde(default)]
    pub fault: Option<FaultKind>,
    /// What was said. Told only when asked for, and only of the newest calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<Transcript>,
}

/// What was sent and answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transcript {
    /// The scheme of the `Authorization`, such as `Bot`; its secret is not kept.
    pub authorization: Option<String>,
    /// The `User-Agent`.
    pub user_agent: Option<String>,
    /// The `Content-Type` of what was sent.
    pub sent_type: Option<String>,
    pub sent: String,
    /// The `Content-Type` of the answer.
    pub answered_type: Option<String>,
    /// The answer's body; empty while there is no answer.
    pub answered: String,
}

/// The calls seen since the last clearing.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    calls: Vec<Request>,
    last: u64,
    /// Calls whose transcript is kept, oldest first.
    told: VecDeque<u64>,
    bytes: usize,
}

impl RequestLog {
    /// Notes that a call arrived.
    pub(crate) fn open(
        &mut self,
        method: &str,
        path: &str,
        path_and_query: &str,
        reason: Option<String>,
    ) -> u64 {
        self.last += 1;
        self.calls.push(Request {
            seq: self.last,
            method: method.to_owned(),
            path: path.to_owned(),
            path_and_query: path_and_query.to_owned(),
            status: None,
            reason,
            scope: None,
            fault: None,
            transcript: None,
        });
        self.last
    }

    /// Notes that a fault happens to it.
    pub(crate) fn mark_faulted(&mut self, seq: u64, fault: FaultKind) {
        if let Some(call) = self.find(seq) {
            call.fault = Some(fault);
        }
    }

    /// Notes what was sent.
    pub(crate) fn sent(&mut self, seq: u64, transcript: Transcript) {
        let bytes = transcript.sent.len();
        let Some(call) = self.find(seq) else { return };
        call.transcript = Some(transcript);
        self.told.push_back(seq);
        self.bytes += bytes;
        self.forget();
    }

    /// Notes its answer. A call cleared in the meantime stays forgotten.
    pub(crate) fn close(
        &mut self,
        seq: u64,
        status: u16,
        scope: Option<String>,
        content_type: Option<String>,
        body: String,
    ) {
        let bytes = body.len();
        let Some(call) = self.find(seq) else { return };
        call.status = Some(status);
        call.scope = scope;
        if let Some(transcript) = &mut call.transcript {
            transcript.answered_type = content_type;
            transcript.answered = body;
            self.bytes += bytes;
        }
        self.forget();
    }

    fn forget(&mut self) {
        while self.bytes > KEPT_BYTES {
            let Some(oldest) = self.told.pop_front() else { return };
            let forgotten = self.find(oldest).and_then(|call| call.transcript.take());
            self.bytes -= forgotten.map_or(0, |transcript| transcript.sent.len() + transcript.answered.len());
        }
    }

    fn find(&mut self, seq: u64) -> Option<&mut Request> {
        let at = self.calls.binary_search_by_key(&seq, |call| call.seq).ok()?;
        self.calls.get_mut(at)
    }

    /// Calls that arrived after `seq`.
    pub(crate) fn since(&self, seq: u64) -> &[Request] {
        &self.calls[self.calls.partition_point(|call| call.seq <= seq)..]
    }

    pub(crate) fn clear(&mut self) {
        self.calls.clear();
        self.told.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_forgotten_before_it_fills_the_memory() {
        let mut request_log = RequestLog::default();
        let half = Transcript { sent: "x".repeat(KEPT_BYTES / 2), ..Transcript::default() };
        for _ in 0..3 {
            let seq = request_log.open("GET", "/", "/", None);
            request_log.sent(seq, half.clone());
            request_log.close(seq, 200, None, None, String::new());
        }
        let told: Vec<bool> = request_log.since(0).iter().map(|call| call.transcript.is_some()).collect();
        assert_eq!(told, [false, true, true]);
        assert!(
            request_log.since(0).iter().all(|call| call.status == Some(200)),
            "the calls are not forgotten"
        );
    }
}
