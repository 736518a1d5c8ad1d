//! What both services must agree on: ids, the rules of the domain, the database, configuration, encryption.
//!
//! `domain` is pure: no IO, clock, randomness or logging. `store` holds all SQL, `actions` what an owner
//! may do. Nothing here knows Stripe's or Discord's client libraries.

pub mod actions;
pub mod background;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod db;
pub mod domain;
pub mod health;
pub mod http;
pub mod ids;
pub mod metrics;
pub mod process;
pub mod service_requests;
pub mod sessions;
pub mod shutdown;
pub mod store;
pub mod telemetry;
pub mod views;
