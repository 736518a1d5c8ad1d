//! End-to-end tests: signed events in, Discord's state out, on a real Postgres. One binary, one private cluster, one
//! database per test.

mod billing;
mod cli;
mod discord;
mod http;
mod linking;
mod ops;
mod store;
#[path = "../support/mod.rs"]
mod support;
mod tenancy;
