//! The door of every HTTP listener. In: a socket and a router. Out: answers; never a hanging socket, a bare error or a
//! response without its security headers.
//!
//! [`serve`] is the accept loop. `guests` says who may stay when it is crowded, `watch` how long a connection may take,
//! `arriving` tells it when a body is whole, `wire` dresses the errors that hyper answers by itself, `headers` and `problem`
//! say what every answer looks like, `flood` says what happens too often, and `origin` holds the rules for browsers.

pub mod headers;
pub mod origin;
pub mod problem;
pub mod server;

#[cfg(test)]
mod tests;

pub use server::serve;

use axum::Router;
use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

/// How much a listener takes upon itself.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at the same time. Below the 1,024 files that a process may usually open.
    pub connections: usize,
    /// Of these, from one network (see [`network`]); `None` behind a proxy, whose address all of them have.
    pub per_network: Option<usize>,
    /// Requests that are being answered, also those whose client has gone.
    pub requests: usize,
    /// From the first byte (or the connection) to the end of a request's head.
    pub head: Duration,
    /// Between two requests. Longer than the 60 seconds that common proxies keep a connection, so that they close first.
    pub idle: Duration,
    /// From the head to the answer.
    pub request: Duration,
    /// What is in flight may take this long to end after `stop`.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 768,
            per_network: Some(512),
            requests: 2048,
            head: Duration::from_secs(5),
            idle: Duration::from_secs(75),
            request: Duration::from_secs(30),
            drain: Duration::from_secs(2),
        }
    }
}

/// These routes and nothing else: what they do not name is a problem too, not a bare error. For listeners without a guard.
pub fn only(routes: Router) -> Router {
    routes
        .fallback(async || problem::NOT_FOUND)
        .method_not_allowed_fallback(async || problem::METHOD_NOT_ALLOWED)
}

/// What counts as one visitor: an IPv4 address, or an IPv6 /64, which is one customer's.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}
