//! Everything that knows Stripe: signature and interpretation are pure, `api` is the one leaf that calls out.

pub mod api;
pub mod event;
pub mod fuzz;
pub mod object;
mod shop;
pub mod signature;
