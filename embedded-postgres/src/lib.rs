//! A private Postgres server for one folder, made from the server binaries that this host has, or that npm has.
//!
//! In: `Options`. Out: a `Cluster` that accepts connections on a Unix socket, and ends with its owner.
//!
//! **Invariant:** one owner per folder; nothing listens on TCP; no server outlives the process that started it
//! (on Linux the kernel sees to that, even after `kill -9`).

mod binaries;
mod cluster;
mod error;
mod fetch;
mod files;
mod initdb;
mod launcher;
mod layout;
mod npm;
mod options;
mod owner;
mod previous;
mod server;
mod subprocess;
mod unpack;

pub use cluster::{Cluster, hold, start};
pub use error::StartError;
pub use launcher::{launch, this_program};
pub use options::{Durability, Options};
