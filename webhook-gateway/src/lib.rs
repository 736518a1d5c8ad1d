//! The webhook gateway: signed Stripe events in, role jobs out.
//!
//! In: `POST /webhooks/stripe`. The request path verifies, records the event once, marks its object dirty, and answers.
//! Behind it `sync` re-reads dirty objects from Stripe and writes what they mean: access sources, role jobs, audit.
//! Beside it `reconcile` reads Stripe's own list of events, for what webhooks did not bring, and `lists` many subscriptions at once;
//! `backfill` what the operator has read once more, and `portals` where members manage what they pay for.
//! `login` and `pages` are for subscribers, who log in at Discord and claim what they bought. Holds no Discord bot token.

pub mod backfill;
pub mod config;
pub mod failed;
pub mod http;
pub mod ingest;
pub mod lists;
pub mod login;
pub mod mail;
pub mod maintenance;
pub mod pages;
pub mod portals;
pub mod reconcile;
pub mod router;
pub mod serve;
pub mod stripe;
pub mod sync;

pub use serve::run;
