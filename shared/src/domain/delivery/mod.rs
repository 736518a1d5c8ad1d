//! What Discord answered to a role change, and what follows.

pub mod outcome;
pub mod refusal;
pub mod verdict;
