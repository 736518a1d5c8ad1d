//! Dirty object → read it from Stripe → facts → access sources → role jobs. One worker per object at a time.

pub mod apply;
pub mod notify;
pub mod worker;

pub use worker::{Sync, run};
