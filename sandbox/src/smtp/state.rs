//! How the server is reached, what is to go wrong, and what it took.

use std::sync::{Arc, Mutex};

use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::envelope::Mail;
use crate::lock::lock;

/// How it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (RFC 8314).
    Implicit,
    /// TLS is offered by STARTTLS; without it nobody logs in.
    StartTls,
    /// None is offered.
    None,
}

#[derive(Debug, Clone)]
pub struct Options {
    /// 0 picks a free one.
    pub port: u16,
    pub security: Security,
    /// Who may send; `None`: anybody, and no login is offered.
    pub login: Option<(String, String)>,
}

/// What goes wrong, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `421` instead of a greeting.
    Greeting421,
    /// `450` for the recipient.
    Recipient450,
    /// `550` for the recipient, with their address in it, as servers have it.
    Recipient550,
    /// The mail is taken, and nothing is said any more.
    HangAfterData,
    /// The mail is taken, and the connection closed before that is said.
    DropBeforeAnswer,
    /// The connection is closed in the middle of the mail's text: it is not taken.
    DropInData,
    /// No STARTTLS is offered, as somebody between would have it.
    HideStartTls,
    /// Behind the answer to STARTTLS comes one to what was not asked yet, in the clear, as somebody between would slip it in.
    InjectAfterStartTls,
}

/// What it took, and what is to go wrong.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) mails: Vec<Mail>,
    pub(super) faults: Vec<Fault>,
    pub(super) connections: usize,
    pub(super) commands: Vec<String>,
}

/// Everything that a session needs.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) state: Arc<Mutex<State>>,
    pub(super) options: Options,
    pub(super) tls: TlsAcceptor,
    pub(super) stop: CancellationToken,
}

impl Shared {
    /// Whether this goes wrong now; then it does not the next time.
    pub(super) fn takes(&self, fault: Fault) -> bool {
        let mut state = lock(&self.state);
        let found = state.faults.iter().position(|queued| *queued == fault);
        found.map(|at| state.faults.remove(at)).is_some()
    }
}
