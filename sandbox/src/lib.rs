//! A fake Discord and a fake Stripe that speak the vendors' protocols on loopback, with faults on demand.
//!
//! In: the HTTP and WebSocket calls our product makes, and control calls under `/_sandbox` from a test, the
//! demo or a benchmark. Out: the vendors' answers, gateway events and signed webhooks, plus a record of every
//! call that was made. Nothing here is linked into a production binary; the product only sees another base URL.

// An object literal of a Stripe subscription or invoice is deeper than the macro default of 128.
#![recursion_limit = "256"]

mod clock;
mod fault;
mod journal;
mod refusal;
mod remote;
mod server;
mod traffic;

pub mod discord;
pub mod stripe;

pub use fault::{Fault, FaultKind};
pub use journal::{Request, Transcript};
pub use server::Running;
