//! Stripe's webhook signature. In: the raw body, the `Stripe-Signature` header, the endpoint's secrets, the time.
//! Out: a [`VerifiedPayload`], which nothing else can make.
//!
//! Scheme: HMAC-SHA256 over `t` + `.` + body, keyed by the whole secret string
//! (<https://docs.stripe.com/webhooks#verify-manually>).

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// How far `t` may be from our clock, both ways, in seconds; Stripe's libraries use 300, and accept the past only.
const TOLERANCE: u64 = 300;
/// Longer headers are refused unread.
const MAX_HEADER: usize = 4096;
/// More signatures than this are not tried: a header must not buy unbounded work.
const MAX_SIGNATURES: usize = 16;

/// A body whose signature was checked.
#[derive(Debug)]
pub struct VerifiedPayload<'a>(&'a [u8]);

impl VerifiedPayload<'_> {
    /// The bytes that were signed.
    pub fn bytes(&self) -> &[u8] {
        self.0
    }
}

/// Why a signature is not accepted. For the log and the tests; the sender is told none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// No header, or more than one.
    #[error("no single Stripe-Signature header")]
    NoHeader,
    /// The header is not `t=…,v1=…`.
    #[error("malformed Stripe-Signature header")]
    Malformed,
    /// No `v1` fits any secret.
    #[error("no signature matches")]
    Mismatch,
    /// Right, but signed too long ago: a replay, or our clock is fast.
    #[error("signed too long ago")]
    TooOld,
    /// Right, but signed in the future: our clock is slow.
    #[error("signed in the future; is this machine's clock right?")]
    InFuture,
}

/// Checks. `now` is Unix time in seconds.
pub fn verify<'a>(
    body: &'a [u8],
    header: Option<&[u8]>,
    secrets: &[SecretString],
    now: i64,
) -> Result<VerifiedPayload<'a>, Rejection> {
    let Header { t, signatures } = parse(header.ok_or(Rejection::NoHeader)?)?;
    let matches = |secret: &SecretString| {
        // HMAC takes keys of any length; an empty one is refused when configuration is read.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
            return false;
        };
        mac.update(t.as_bytes());
        mac.update(b".");
        mac.update(body);
        // `verify_slice` compares in constant time.
        signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
    };
    // Every secret is tried, so that the time taken does not tell which one fits.
    if secrets.iter().fold(false, |found, secret| matches(secret) | found) {
        within_tolerance(t, now)?;
        return Ok(VerifiedPayload(body));
    }
    Err(Rejection::Mismatch)
}

struct Header<'a> {
    /// The literal digits: leading zeros are part of what was signed.
    t: &'a str,
    signatures: Vec<[u8; 32]>,
}

/// Pairs separated by commas. Unknown schemes are ignored (there may be a `v2` one day, and `v0` is for tests); pairs
/// without `=` and spaces around a pair do no harm.
fn parse(header: &[u8]) -> Result<Header<'_>, Rejection> {
    let text = std::str::from_utf8(header).map_err(|_| Rejection::Malformed)?;
    if text.len() > MAX_HEADER {
        return Err(Rejection::Malformed);
    }
    let mut t = None;
    let mut signatures = Vec::new();
    for (key, value) in text.split(',').filter_map(|pair| pair.trim().split_once('=')) {
        match key {
            "t" if t.is_some() => return Err(Rejection::Malformed),
            "t" => t = Some(value),
            "v1" if signatures.len() == MAX_SIGNATURES => return Err(Rejection::Malformed),
            "v1" => {
                let mut bytes = [0; 32];
                // A bad one is skipped: beside it there may be a good one.
                if hex::decode_to_slice(value, &mut bytes).is_ok() {
                    signatures.push(bytes);
                }
            }
            _ => {}
        }
    }
    let digits = |t: &&str| (1..=12).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
    let t = t.filter(digits).ok_or(Rejection::Malformed)?;
    if signatures.is_empty() { Err(Rejection::Mismatch) } else { Ok(Header { t, signatures }) }
}

/// Only after the MAC: an attacker must not learn our clock.
fn within_tolerance(t: &str, now: i64) -> Result<(), Rejection> {
    let t: i64 = t.parse().map_err(|_| Rejection::Malformed)?;
    match now.abs_diff(t) <= TOLERANCE {
        true => Ok(()),
        false if t < now => Err(Rejection::TooOld),
        false => Err(Rejection::InFuture),
    }
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;

/// For the tests of what comes after verification.
#[cfg(test)]
pub(crate) mod testing {
    /// Pretends that `body` was verified.
    pub(crate) fn unchecked(body: &[u8]) -> super::VerifiedPayload<'_> {
        super::VerifiedPayload(body)
    }
}
