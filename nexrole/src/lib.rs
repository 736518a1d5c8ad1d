//! The one-binary entry point: the demo, the operator's commands, and a database of its own.
//!
//! In: a command line and the environment. Out: the same services and store functions that production runs.

// First: its `println!` takes the place of std's in what follows.
#[macro_use]
mod out;

mod backoff;
pub mod children;
pub mod cli;
pub mod database;
pub mod demo;
pub mod doctor;
pub mod init;
pub mod keys;
pub mod scenario;
mod settings;
pub mod up;
pub mod visitor;
