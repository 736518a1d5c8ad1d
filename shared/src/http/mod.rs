//! What every HTTP listener needs. In: a socket and a router. Out: responses; never a hanging socket, a bare error or a response
//! without its security headers.
//!
//! [`serve`] is the accept loop, sealed off under `server`, with its [`limits`]. `headers` and `problem` say what every response
//! and every error looks like, `log_throttle` writes what happens too often now and then, and `origin` holds the rules for
//! browsers.

pub mod headers;
pub mod limits;
pub mod log_throttle;
pub mod origin;
pub mod problem;
mod server;

pub use server::serve;
