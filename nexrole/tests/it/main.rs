//! End-to-end tests: signed events in, Discord's state out, on a real Postgres. One binary, one private cluster, one
//! database per test.

mod activity;
mod bad_input;
mod catalogue;
mod ci;
mod cluster;
mod controls;
mod crash;
mod crowd;
mod danger;
#[path = "../../../sandbox/tests/described/mod.rs"]
mod described;
mod discord_side;
mod doctor;
mod door;
mod durability;
mod erase;
mod export;
mod forgery;
mod fuzz;
mod gateway;
mod http;
mod keys;
mod kinds;
mod logins;
mod metrics;
mod migrations;
mod observe;
mod old_ids;
mod policy;
mod postgres;
mod priority;
mod reconcile;
mod retention;
mod scenarios;
mod secrets;
mod silence;
mod store;
mod stripe_side;
mod tenancy;
mod tidy;
mod tls;
mod tricks;
mod up;
mod waiting;
mod world;
