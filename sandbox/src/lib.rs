//! A fake Discord, a fake Stripe and a mail server that speak the vendors' protocols on loopback, with faults on demand.
//!
//! In: the HTTP and WebSocket calls our product makes, and control calls under `/_sandbox` from a test, the
//! demo or a benchmark. Out: the vendors' answers, gateway events and signed webhooks, plus a record of every
//! call that was made. Nothing here is linked into a production binary; the product only sees another base URL.

// An object literal of a Stripe subscription or invoice is deeper than the macro default of 128.
#![recursion_limit = "256"]

mod clock;
mod fault;
mod fault_proxy;
mod lock;
mod page;
mod refusal;
mod remote;
mod request_log;
mod server;

pub mod discord;
pub mod smtp;
pub mod stripe;

pub use crate::request_log::{Request, Transcript};
pub use fault::{Fault, FaultKind};
pub use server::Running;
