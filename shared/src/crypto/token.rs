//! Tokens that others hold: made once, shown once, stored as a keyed hash with a prefix that people can read. In: a kind, and a
//! pepper. Out: the token, and what to store of it.
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

/// Letters of the random part that are stored readable: 48 of 256 bits.
const READABLE: usize = 8;

/// What tokens of one installation are hashed with. It lives sealed in the database: keys of `ENCRYPTION_KEYS` come and go, and
/// hashes cannot be made anew.
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
    let prefix = token.chars().take(kind.len() + 4 + READABLE).collect();
    let hash = pepper.0.clone().chain_update(&token).finalize().into_bytes().to_vec();
    (SecretString::from(token), Stored { prefix, hash })
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

    /// `printf nx_live_x | openssl dgst -sha256 -mac HMAC -macopt hexkey:00…00` (32 bytes).
    #[test]
    fn the_known_answer_of_openssl() {
        let pepper = Pepper::parse(&STANDARD.encode([0; 32]).into()).unwrap();
        let hash = "3941511ff17e1b90e574d4ec5a17a1e20a2c5742100ddd78c22d16600baa264c";
        let hash = (0..32).map(|n| u8::from_str_radix(&hash[2 * n..2 * n + 2], 16).unwrap()).collect();
        assert!(Stored { prefix: "nx_live_x".into(), hash }.is_of("nx_live_x", &pepper));
    }
}
