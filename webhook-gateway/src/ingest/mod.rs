//! From bytes to a recorded event: verify, look up whose it is, record once.

pub mod deliveries;
pub mod endpoints;
pub mod recorder;
pub mod webhook;
