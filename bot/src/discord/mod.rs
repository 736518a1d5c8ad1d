//! Everything that calls Discord's REST API for roles: thin calls, a pure reading of answers, and pacing.

pub mod client;
pub mod outcome;
pub mod pacing;
