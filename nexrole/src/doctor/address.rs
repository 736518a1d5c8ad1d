//! Whether a host is one that anybody on the internet can reach. In: an address, or a name to resolve. Out: its public addresses.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

const RESOLVE_WITHIN: Duration = Duration::from_secs(5);

/// The public ones among a host's addresses. Literal addresses ask nobody.
pub(super) async fn public_addresses(host: &str) -> io::Result<Vec<IpAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok([address].into_iter().filter(is_public).collect());
    }
    let resolved = tokio::time::timeout(RESOLVE_WITHIN, tokio::net::lookup_host((host, 0))).await;
    let resolved = resolved.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let mut public: Vec<IpAddr> = resolved.map(|address| address.ip()).filter(is_public).collect();
    public.sort_unstable();
    public.dedup();
    Ok(public)
}

/// What is not known to be private is public.
fn is_public(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(*address),
        IpAddr::V6(address) => address.to_ipv4_mapped().map_or_else(|| is_public_v6(*address), is_public_v4),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    // Between a provider and its customers (RFC 6598).
    let shared = a == 100 && (64..128).contains(&b);
    !(address.is_private() || address.is_loopback() || address.is_link_local() || shared)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    !(address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn private_networks_are_private_and_everything_else_is_public() {
        for private in [
            "10.0.0.7",
            "127.8.8.8",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "::1",
            "fd12::1",
            "fc00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(public_addresses(private).await.unwrap().is_empty(), "{private}");
        }
        for public in [
            "8.8.8.8",
            "172.32.0.1",
            "172.15.0.1",
            "192.169.0.1",
            "100.128.0.1",
            "203.0.113.7",
            "2001:db8::1",
            "2606:4700::1",
            "::ffff:8.8.8.8",
        ] {
            assert_eq!(public_addresses(public).await.unwrap().len(), 1, "{public}");
        }
        assert!(public_addresses("localhost").await.unwrap().is_empty());
        assert!(public_addresses("nowhere.invalid").await.is_err());
    }
}
