//! The webhook gateway: signed Stripe events in, role jobs out.
//!
//! In: `POST /webhooks/stripe`. The request path verifies, records the event once, marks its object dirty, and answers.
//! Behind it `sync` re-reads dirty objects from Stripe and writes what they mean: access sources, role jobs, audit.
//! Beside it `reconcile` reads Stripe's own list of events, for what webhooks did not bring, and `lists` many subscriptions at once.
//! Holds no Discord bot token.

pub mod config;
pub mod http;
pub mod ingest;
pub mod lists;
pub mod maintenance;
pub mod reconcile;
pub mod router;
pub mod serve;
pub mod stripe;
pub mod sync;

pub use serve::run;
