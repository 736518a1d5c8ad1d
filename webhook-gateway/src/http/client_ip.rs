//! Who is calling, and how. In: the socket's peer, what proxies wrote, how many of them are ours. Out: a key for rate limits,
//! and whether the call came without TLS.

use std::net::IpAddr;

use axum::http::HeaderMap;
use shared::http::limits::client_network;

/// The address that calls are counted for: IPv4 as it is, IPv6 by its /64, which is one customer's.
pub fn rate_limit_key(peer: IpAddr, forwarded_for: &[&str], trusted_hops: usize) -> IpAddr {
    client_network(client(peer, forwarded_for, trusted_hops))
}

/// Whether our outermost proxy was called by plain http: the n-th entry from the right is its own. Many proxies replace the
/// header instead of adding to it. Then there are fewer entries than proxies, and nobody can say what the outermost wrote:
/// an inner one, which our own load balancer called by plain http, must not shut everybody out.
pub fn came_over_plain_http(forwarded_proto: &[&str], trusted_hops: usize) -> bool {
    let Some(outermost) = trusted_hops.checked_sub(1) else { return false };
    let mut entries = forwarded_proto.iter().rev().flat_map(|line| line.rsplit(',')).map(str::trim);
    entries.nth(outermost).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"))
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

/// All values of a header that are text.
pub fn header_texts<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_of_our_proxies_says_whether_it_was_https() {
        for (header, hops, clear) in [
            (&["http"][..], 0, false),
            (&["http"], 1, true),
            (&["HTTP"], 1, true),
            (&["https"], 1, false),
            (&[], 1, false),
            (&["http, https"], 1, false),
            (&["https, http"], 1, true),
            (&["http, https"], 2, true),
            (&["http", "https"], 1, false),
            (&["http", "https"], 2, true),
            (&["https, http"], 2, false),
            // The inner proxy has replaced what the outer one wrote.
            (&["http"], 2, false),
            (&["http, http"], 3, false),
            (&["wss"], 1, false),
        ] {
            assert_eq!(came_over_plain_http(header, hops), clear, "{header:?} with {hops}");
        }
    }

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
            let found = rate_limit_key(peer.parse().unwrap(), header, hops);
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{header:?} with {hops}");
        }
    }
}
