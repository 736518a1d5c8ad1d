//! End-to-end tests: signed events in, Discord's state out, on a real Postgres. One binary, one private cluster, one
//! database per test.

mod bad_input;
mod catalogue;
mod cluster;
mod crash;
#[path = "../../../sandbox/tests/described/mod.rs"]
mod described;
mod discord_side;
mod gateway;
mod metrics;
mod migrations;
mod observe;
mod postgres;
mod reconcile;
mod scenarios;
mod silence;
mod store;
mod stripe_side;
mod tenancy;
mod tidy;
mod up;
mod waiting;
mod world;
