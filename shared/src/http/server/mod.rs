//! The accept loop of every listener.

mod accept_loop;
mod connection_limit;
mod connection_state;
pub mod log_throttle;
mod respond;
mod tracked_body;
mod tracked_stream;

pub use accept_loop::serve;
