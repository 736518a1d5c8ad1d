//! The rules, pure: no IO, no clock, no randomness, no logging. In the order in which data passes:
//! `BillingFact → Evaluation → Transition → RoleWork → Planned → CallOutcome → Decision → AuditEntry`.

pub mod activity;
pub mod audit;
pub mod billing;
pub mod daily;
pub mod delivery;
pub mod entitlement;
pub mod explain;
pub mod job;
pub mod notices;
pub mod roles;
pub mod service_request;
pub mod stripe_object;
