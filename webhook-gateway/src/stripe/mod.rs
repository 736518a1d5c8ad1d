//! Everything that knows Stripe: signature and interpretation are pure, `api` is the one leaf that calls out.

pub mod api;
pub mod bucket;
pub mod budget;
pub mod credentials;
pub mod event;
pub mod event_types;
pub mod fuzz;
pub mod month;
pub mod read;
mod remembered;
pub mod signature;
