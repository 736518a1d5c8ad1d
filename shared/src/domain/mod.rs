//! The rules, pure: no IO, no clock, no randomness, no logging. In the order in which data passes:
//! `BillingFact → Transition → RoleJob → RolePlan → CallOutcome → Verdict → AuditEntry`.

pub mod access;
pub mod activity;
pub mod audit;
pub mod billing;
pub mod catalogue;
pub mod danger;
pub mod enforcement;
pub mod grant;
pub mod job;
pub mod joining;
pub mod outcome;
pub mod plan;
pub mod refusal;
pub mod transition;
pub mod verdict;
