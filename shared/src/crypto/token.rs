//! Tokens that others hold: made once, shown once, stored as a keyed hash with a prefix that people can read. In: a kind, and a
//! pepper. Out: the token, and what to store of it.
//!
//! What lives for weeks may take a pepper of `ENCRYPTION_KEYS` instead, [`Pepper::of`]: there is one for each key, and with a key that goes
//! its tokens are nobody's.
//!
//! A token is 256 random bits, so a fast hash is enough (OWASP ASVS 5.0, 6.5.2); the key makes a copy of the table useless. Whoever
//! looks a token up finds its row by the prefix and asks [`Stored::is_of`], which compares in constant time.

use std::fmt;

use aes_gcm::{Aes256Gcm, Key, aead::Generate};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::{Keyring, keyed_hash};

/// Letters of the random part that are stored readable: 48 of 256 bits.
const READABLE: usize = 8;
/// Letters of the random part.
const RANDOM: usize = 43;

/// What tokens of one installation are hashed with. One that outlives keys of `ENCRYPTION_KEYS` lives sealed in the database: keys come
/// and go, and hashes cannot be made anew.
#[derive(Clone)]
pub struct Pepper(Hmac<Sha256>);

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper(…)")
    }
}

impl Pepper {
    /// A new one, as text to seal.
    pub fn generate() -> SecretString {
        SecretString::from(STANDARD.encode(random()))
    }

    /// What [`Pepper::generate`] made; `None` for anything else.
    pub fn parse(text: &SecretString) -> Option<Self> {
        let bytes = STANDARD.decode(text.expose_secret()).ok().filter(|bytes| bytes.len() == 32)?;
        Hmac::new_from_slice(&bytes).ok().map(Self)
    }

    /// One of each key, the first key's first: that one is for new tokens, and all know theirs. `purpose` has no NUL: no two purposes have
    /// the same.
    pub fn of(keyring: &Keyring, purpose: &str) -> Vec<Self> {
        keyring.0.iter().map(|(_, _, hmac)| Self(keyed_hash::for_purpose(hmac, purpose))).collect()
    }
}

/// What is stored of a token: neither it nor any other token of this installation can be made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its beginning, for people and for look-ups: `nx_live_Ab3_x9-Q`.
    pub prefix: String,
    /// HMAC-SHA256 of the whole token.
    pub hash: Vec<u8>,
}

/// Makes a token, `nx_<kind>_` and 43 letters of base64url. It is shown once; what is stored cannot show it again.
pub fn issue(kind: &str, pepper: &Pepper) -> (SecretString, Stored) {
    let token = format!("nx_{kind}_{}", URL_SAFE_NO_PAD.encode(random()));
    let prefix = prefix(&token, kind).unwrap_or_default().to_owned();
    let hash = pepper.0.clone().chain_update(&token).finalize().into_bytes().to_vec();
    (SecretString::from(token), Stored { prefix, hash })
}

/// The prefix of what may be a token of this kind; `None`: it is none, whatever its rest is.
pub fn prefix<'t>(token: &'t str, kind: &str) -> Option<&'t str> {
    let random = token.strip_prefix("nx_")?.strip_prefix(kind)?.strip_prefix('_')?;
    let is_base64url = random.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    (random.len() == RANDOM && is_base64url).then(|| &token[..token.len() - RANDOM + READABLE])
}

impl Stored {
    /// Whether a token that somebody shows is this one.
    pub fn is_of(&self, token: &str, pepper: &Pepper) -> bool {
        pepper.0.clone().chain_update(token).verify_slice(&self.hash).is_ok()
    }
}

/// 256 bits of the operating system's randomness.
fn random() -> Key<Aes256Gcm> {
    Key::<Aes256Gcm>::generate()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pepper() -> Pepper {
        Pepper::parse(&Pepper::generate()).unwrap()
    }

    #[test]
    fn what_is_stored_knows_its_token_and_no_other_and_does_not_hold_it() {
        let pepper = pepper();
        let (token, stored) = issue("live", &pepper);
        let text = token.expose_secret();
        assert!(text.starts_with("nx_live_") && text.len() == 8 + 43, "{}", text.len());
        assert_eq!(stored.prefix, text[..16]);
        assert!(stored.is_of(text, &pepper));
        let random = &text[16..];
        assert!(!format!("{stored:?}").contains(random));
        let (other, _) = issue("live", &pepper);
        let mut changed = text.to_owned();
        changed.replace_range(20..21, if &text[20..21] == "A" { "B" } else { "A" });
        for wrong in [other.expose_secret(), &changed, &text[..text.len() - 1], &format!("{text}A"), ""] {
            assert!(!stored.is_of(wrong, &pepper), "{wrong}");
        }
    }

    #[test]
    fn without_the_pepper_nothing_can_be_matched() {
        let (token, stored) = issue("live", &pepper());
        assert!(!stored.is_of(token.expose_secret(), &pepper()));
        for wrong in ["", "AAAA", "not base64"] {
            assert!(Pepper::parse(&wrong.into()).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_keys_pepper_knows_its_tokens_for_its_purpose_as_long_as_the_key_is_there() {
        let (old, new) = (crate::crypto::generate("old"), crate::crypto::generate("new"));
        let keys = |text: String| Keyring::parse(&text).unwrap();
        let (old, new) = (old.expose_secret(), new.expose_secret());
        let before = Pepper::of(&keys(old.to_owned()), "tests");
        let (token, stored) = issue("ref", &before[0]);
        let knows =
            |peppers: &[Pepper]| peppers.iter().any(|pepper| stored.is_of(token.expose_secret(), pepper));
        assert!(knows(&before));
        assert!(knows(&Pepper::of(&keys(format!("{new},{old}")), "tests")), "until its key goes");
        assert!(!knows(&Pepper::of(&keys(new.to_owned()), "tests")));
        assert!(
            !knows(&Pepper::of(&keys(old.to_owned()), "test"))
                && !knows(&Pepper::of(&keys(old.to_owned()), "tests2"))
        );
    }

    #[test]
    fn only_what_may_be_a_token_has_a_prefix() {
        let (token, stored) = issue("ref", &pepper());
        let text = token.expose_secret();
        assert_eq!(prefix(text, "ref"), Some(stored.prefix.as_str()));
        let other_kind = text.replacen("ref", "api", 1);
        let long = format!("{text}A");
        for wrong in
            [&text[..49], &long, &other_kind, &text[3..], "", "nx_ref_", &text.replacen("nx", "NX", 1)]
        {
            assert_eq!(prefix(wrong, "ref"), None, "{wrong}");
        }
        assert_eq!(prefix(&format!("nx_ref_{}", "é".repeat(43)), "ref"), None);
        assert_eq!(prefix(&format!("nx_ref_{}x", "é".repeat(21)), "ref"), None, "43 bytes");
    }

    /// `printf nx_live_x | openssl dgst -sha256 -mac HMAC -macopt hexkey:00…00` (32 bytes).
    #[test]
    fn the_known_answer_of_openssl() {
        let pepper = Pepper::parse(&STANDARD.encode([0; 32]).into()).unwrap();
        let hash = "3941511ff17e1b90e574d4ec5a17a1e20a2c5742100ddd78c22d16600baa264c";
        let hash = (0..32).map(|n| u8::from_str_radix(&hash[2 * n..2 * n + 2], 16).unwrap()).collect();
        assert!(Stored { prefix: "nx_live_x".into(), hash }.is_of("nx_live_x", &pepper));
    }
}
