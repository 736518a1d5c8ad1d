//! End-to-end tests: signed events in, Discord's state out, on a real Postgres. One binary, one private cluster, one
//! database per test.

mod billing;
mod browser;
mod cli;
#[cfg(target_os = "linux")]
mod crash;
mod discord;
mod http;
mod linking;
mod mail;
mod ops;
mod pages;
mod store;
mod support;
mod tenancy;
