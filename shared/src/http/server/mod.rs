//! The accept loop of every listener: [`serve`] is all that anything outside sees of it.
//!
//! Why it exists, and why it is not to grow: `docs/decisions/0008-an-accept-loop-of-our-own.md`.

mod accept_loop;
mod connection_limit;
mod connection_state;
mod respond;
mod tracked_body;
mod tracked_stream;

#[cfg(test)]
mod tests;

pub use accept_loop::serve;
