//! Every vendor call that was made. In: the start and the end of a call. Out: the calls in order of arrival.

use serde::{Deserialize, Serialize};

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
}

/// The calls seen since the last clearing.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    calls: Vec<Request>,
    last: u64,
}

impl Journal {
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
        });
        self.last
    }

    /// Notes its answer. A call cleared in the meantime stays forgotten.
    pub(crate) fn close(&mut self, seq: u64, status: u16, scope: Option<String>) {
        if let Ok(at) = self.calls.binary_search_by_key(&seq, |call| call.seq) {
            self.calls[at].status = Some(status);
            self.calls[at].scope = scope;
        }
    }

    /// Calls that arrived after `seq`.
    pub(crate) fn since(&self, seq: u64) -> &[Request] {
        &self.calls[self.calls.partition_point(|call| call.seq <= seq)..]
    }

    pub(crate) fn clear(&mut self) {
        self.calls.clear();
    }
}
