//! What several test programs need: folders and processes to break, a vendor's description of its API to hold calls against, and
//! one event of each kind. Only tests depend on it.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

pub mod event_kinds;
pub mod openapi;
pub mod process;
pub mod report;
pub mod scratch;
