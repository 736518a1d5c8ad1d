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
pub mod claim_codes;
pub mod claim_invitations;
pub mod claim_progress;
pub mod customer_hands;
pub mod erasure;
pub mod export;
pub mod failures;
pub mod follow_questions;
pub mod guild_gates;
pub mod guild_roles;
pub mod guild_summary;
pub mod health_facts;
pub mod link_tokens;
pub mod linked_sources;
pub mod logins;
pub mod mails;
pub mod mapped_roles;
pub mod member_facts;
pub mod member_links;
pub mod member_lists;
pub mod member_notices;
pub mod members;
pub mod mirror_facts;
pub mod payment_reversals;
pub mod pending_members;
pub mod plans;
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
pub mod sessions;
pub mod settle;
pub mod stripe_answers;
pub mod stripe_backfills;
pub mod stripe_connections;
pub mod stripe_cursors;
pub mod stripe_events;
pub mod stripe_lists;
pub mod stripe_mirror;
pub mod stripe_portals;
pub mod stripe_sync;
pub mod trials;
pub mod why;
mod why_rows;
