//! How much a listener takes on: connections, requests, time; and what counts as one client.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

/// The limits of one listener.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at the same time. Below the 1,024 files that a process may usually open.
    pub connections: usize,
    /// Of these, from one network (see [`client_network`]); `None` behind a proxy, whose address all of them have.
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

/// What counts as one client: an IPv4 address, or an IPv6 /64, which is one customer's.
pub fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_ipv4_address_or_an_ipv6_64() {
        for (address, expected) in [
            ("1.2.3.4", "1.2.3.4"),
            ("::ffff:1.2.3.4", "1.2.3.4"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
        ] {
            assert_eq!(client_network(address.parse().unwrap()), expected.parse::<IpAddr>().unwrap());
        }
    }
}
