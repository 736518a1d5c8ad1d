//! The Discord bot: role jobs in, role changes out; notices to members; and the slash commands.
//!
//! The worker needs only Postgres and Discord's REST API. The Gateway connection serves commands and brings hints
//! (a member joined), which become jobs. Holds no Stripe secret.

pub mod answers;
pub mod commands;
pub mod config;
pub mod discord;
pub mod gateway;
pub mod notices;
pub mod serve;
pub mod worker;

pub use serve::run;
