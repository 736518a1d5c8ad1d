//! A secret as it may be shown: enough to tell one from another, nothing to use. In: the secret. Out: `rk_live_#3fa9c1d2e0b4`.

use std::fmt::{self, Write};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// So that no hash of the same secret made elsewhere is the same.
const CONTEXT: &[u8] = b"nexrole fingerprint\0";
/// What says only which kind of secret it is.
const KINDS: [&str; 3] = ["rk_live_", "rk_test_", "whsec_"];

/// Shows its text; the secret cannot be had from it. Stripe's secrets are random and long: guessing one is hopeless, and twelve
/// digits are too few to confirm a guess for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of a secret.
    pub fn of(secret: &SecretString) -> Self {
        let secret = secret.expose_secret();
        let kind = KINDS.into_iter().find(|kind| secret.starts_with(kind)).unwrap_or_default();
        let mut text = format!("{kind}#");
        for byte in Sha256::new().chain_update(CONTEXT).chain_update(secret).finalize().iter().take(6) {
            // Writing to a String cannot fail.
            _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_secrets_apart_and_shows_their_kind_only() {
        // printf 'nexrole fingerprint\0rk_test_abc' | sha256sum | cut -c1-12
        assert_eq!(Fingerprint::of(&"rk_test_abc".into()).to_string(), "rk_test_#ea1eda9e96ea");
        assert_ne!(Fingerprint::of(&"whsec_a".into()), Fingerprint::of(&"whsec_b".into()));
        let unknown = Fingerprint::of(&"hunter2hunter2".into()).to_string();
        assert!(unknown.starts_with('#') && unknown.len() == 13, "{unknown}");
    }
}
