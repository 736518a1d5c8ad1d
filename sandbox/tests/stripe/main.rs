//! The fake Stripe over real HTTP. In: reads as the product makes them, and a receiver for its webhooks.
//! Out: what Stripe would answer and deliver.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod accounts;
mod catalogue;
mod delivery;
mod disputes;
mod endpoints;
mod expansion;
mod flexible;
mod keys;
mod money;
mod pages;
mod pauses;
mod reads;
mod scene;
mod shapes;
mod shop;
mod thin;
mod time;
mod trial_offers;
