//! All SQL. Free functions; the first parameter says on whose rows: [`tenant::Tenant`] on one guild's, [`crossing::Crossing`] on
//! every tenant's. The caller owns the transaction. Only setting up and examining a database takes a bare connection.
//!
//! Queries are plain text checked by the tests, each of which runs on a real Postgres
//! (see `docs/decisions/0002-queries-as-text.md`).

pub mod activity;
pub mod audit;
pub mod catalogue;
pub mod checkup;
pub mod connections;
pub mod crossing;
pub mod cursors;
pub mod database;
pub mod erasure;
pub mod events;
pub mod export;
pub mod gates;
pub mod grants;
pub mod guild_roles;
pub mod links;
pub mod listening;
pub mod mapped_roles;
pub mod mappings;
pub mod members;
pub mod mirror;
pub mod queues;
pub mod retention;
pub mod role_jobs;
pub mod roles;
pub mod sealed;
pub mod settle;
pub mod sources;
pub mod summary;
pub mod sync;
pub mod tenant;
pub mod why;
