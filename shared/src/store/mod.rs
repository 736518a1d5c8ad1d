//! All SQL, one file per table or idea. Free functions; the first parameter says on whose rows: [`crate::db::tenant::Tenant`] on
//! one guild's, [`crate::db::cross_tenant::Crossing`] on every tenant's. The caller owns the transaction. Only setting up and examining a database takes a bare connection.
//!
//! Queries are plain text checked by the tests, each of which runs on a real Postgres
//! (see `docs/decisions/0002-queries-as-text.md`).

pub mod access_given;
pub mod access_sources;
pub mod activity_log;
pub mod audit_log;
pub mod catalogue;
pub mod erasure;
pub mod export;
pub mod follow_questions;
pub mod guild_gates;
pub mod guild_roles;
pub mod guild_summary;
pub mod health_facts;
pub mod mapped_roles;
pub mod member_links;
pub mod member_notices;
pub mod members;
pub mod payment_reversals;
pub mod pending_members;
pub mod purchases;
pub mod queue_depth;
pub mod retention;
pub mod role_grants;
pub mod role_health;
pub mod role_holds;
pub mod role_jobs;
pub mod role_mappings;
pub mod role_revokes;
pub mod sealed;
pub mod service_requests;
pub mod settle;
pub mod stripe_connections;
pub mod stripe_cursors;
pub mod stripe_events;
pub mod stripe_lists;
pub mod stripe_mirror;
pub mod stripe_sync;
pub mod trials;
pub mod why;
mod why_rows;
