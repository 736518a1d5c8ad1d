//! The rules, pure: no IO, no clock, no randomness, no logging. In the order in which data passes:
//! `BillingFact → Evaluation → Transition → RoleWork → Planned → CallOutcome → Decision → AuditEntry`.

pub mod activity;
pub mod adding;
pub mod audit;
pub mod backfill;
pub mod billing;
pub mod claim;
pub mod claim_code;
pub mod daily;
pub mod delivery;
pub mod email;
pub mod entitlement;
pub mod explain;
pub mod failed;
pub mod invitation;
pub mod job;
pub mod mail;
pub mod moving;
pub mod notices;
pub mod reference;
pub mod roles;
pub mod service_request;
pub mod session;
pub mod stripe_object;
