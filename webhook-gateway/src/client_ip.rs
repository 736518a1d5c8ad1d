//! Who is calling. In: the socket's peer, `X-Forwarded-For`, how many proxies are ours. Out: a key for budgets.

use std::net::{IpAddr, Ipv6Addr};

/// The address that a budget is kept for: IPv4 as it is, IPv6 by its /64, which is one customer's.
pub fn budget_key(peer: IpAddr, forwarded_for: &[&str], trusted_hops: usize) -> IpAddr {
    match client(peer, forwarded_for, trusted_hops).to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// With `n` trusted proxies the n-th entry from the right was written by the outermost of them; everything left of it
/// is the client's own claim.
fn client(peer: IpAddr, forwarded_for: &[&str], trusted_hops: usize) -> IpAddr {
    if trusted_hops == 0 {
        return peer;
    }
    let entries = forwarded_for.iter().rev().flat_map(|line| line.rsplit(','));
    entries.map(str::trim).nth(trusted_hops - 1).and_then(|entry| entry.parse().ok()).unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_proxies_are_believed() {
        let peer = "10.0.0.1";
        for (header, hops, expected) in [
            (&["1.1.1.1"][..], 0, peer),
            (&["1.1.1.1"], 1, "1.1.1.1"),
            (&["6.6.6.6, 1.1.1.1"], 1, "1.1.1.1"),
            (&["6.6.6.6, 1.1.1.1, 2.2.2.2"], 2, "1.1.1.1"),
            (&["6.6.6.6", "1.1.1.1"], 1, "1.1.1.1"),
            (&["1.1.1.1"], 2, peer),
            (&["nonsense"], 1, peer),
            (&[], 1, peer),
            (&["2001:db8:1:2:3:4:5:6"], 1, "2001:db8:1:2::"),
            (&["::ffff:1.2.3.4"], 1, "1.2.3.4"),
        ] {
            let found = budget_key(peer.parse().unwrap(), header, hops);
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{header:?} with {hops}");
        }
    }
}
