//! What callers do to the gateway.

mod ambiguous_json;
mod bad_requests;
mod connection_limits;
mod forged_events;
mod listener;
mod malformed_requests;
