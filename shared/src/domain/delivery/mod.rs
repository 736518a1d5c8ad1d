//! What Discord answered to a role change, and what follows.

pub(in crate::domain) mod absence;
pub mod backoff;
pub mod breaker;
pub mod decision;
mod job_updates;
pub mod outcome;
pub mod refusal;
pub mod update;
pub mod without_call;
