//! Secrets at rest: plain bytes in, sealed bytes out, and back.
//!
//! AES-256-GCM (NIST SP 800-38D) with a key id in front, so that keys can be rotated: the first key seals, every key
//! opens. The associated data names the row, so that a sealed value copied to another row does not open.
//! Layout: `version (1) ‖ length of key id (1) ‖ key id ‖ nonce (12) ‖ ciphertext and tag`.
//!
//! No data key per value, wrapped by the key: it would add a second layer to the same bytes. Values are short, re-sealing
//! all of them is one cheap pass, and a key stays far below the 2^32 random nonces that GCM allows (SP 800-38D, 8.3).

use std::fmt;

use aes_gcm::{
    Aes256Gcm, Key, KeyInit,
    aead::{Aead, Generate, Nonce, Payload},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::Hmac;
use secrecy::SecretString;
use sha2::Sha256;

pub mod browser_secret;
mod fingerprint;
mod keyed_hash;
pub mod token;

pub use fingerprint::Fingerprint;

const VERSION: u8 = 1;
const NONCE: usize = 12;

/// The keys of `ENCRYPTION_KEYS`: `id:base64(32 bytes)[,id:…]`.
#[derive(Clone)]
pub struct Keyring(Vec<Entry>);

/// One key: its id, what seals with it, and what hashes with one that is derived from it.
type Entry = (String, Aes256Gcm, Hmac<Sha256>);

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

/// Why sealing or opening failed. Never contains key or content.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// The variable is not `id:base64(32 bytes)`.
    #[error("key number {0} is not id:base64(32 bytes), or repeats an id")]
    Key(usize),
    /// The bytes are not in our layout.
    #[error("the sealed value is damaged")]
    Damaged,
    /// The value was sealed with a key that ENCRYPTION_KEYS does not have.
    #[error("sealed with key '{0}', which ENCRYPTION_KEYS does not have: add it again, after the first one")]
    UnknownKey(String),
    /// Wrong key, changed bytes, or a value of another row.
    #[error(
        "does not open with the key '{0}' of ENCRYPTION_KEYS: it is another key of that id, or the value was changed or moved"
    )]
    Refused(String),
    /// The cipher refused to seal.
    #[error("sealing failed")]
    Seal,
}

/// The id of the key that sealed a value.
pub fn key_id(sealed: &[u8]) -> Result<&str, CryptoError> {
    parts(sealed).map(|(id, _, _)| id)
}

/// A new random key, as one entry of `ENCRYPTION_KEYS`.
pub fn generate(id: &str) -> SecretString {
    SecretString::from(format!("{id}:{}", STANDARD.encode(Key::<Aes256Gcm>::generate())))
}

/// 64 bits of the operating system's randomness.
pub fn random_number() -> u64 {
    let random = Key::<Aes256Gcm>::generate();
    random.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// Key id, nonce, ciphertext with tag.
fn parts(sealed: &[u8]) -> Result<(&str, &[u8], &[u8]), CryptoError> {
    let [VERSION, length, rest @ ..] = sealed else { return Err(CryptoError::Damaged) };
    let (id, rest) = rest.split_at_checked(usize::from(*length)).ok_or(CryptoError::Damaged)?;
    let (nonce, body) = rest.split_at_checked(NONCE).ok_or(CryptoError::Damaged)?;
    let id = std::str::from_utf8(id).map_err(|_| CryptoError::Damaged)?;
    Ok((id, nonce, body))
}

impl Keyring {
    /// The id of the key that seals.
    pub fn first(&self) -> &str {
        self.0.first().map_or("", |(id, ..)| id)
    }

    /// Every key's id, the one that seals first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(id, ..)| id.as_str())
    }

    /// Parses `ENCRYPTION_KEYS`.
    pub fn parse(text: &str) -> Result<Self, CryptoError> {
        let mut keys: Vec<Entry> = Vec::new();
        for (index, part) in text.split(',').enumerate() {
            let bad = || CryptoError::Key(index + 1);
            let (id, key) = part.trim().split_once(':').ok_or_else(bad)?;
            let key = STANDARD.decode(key).map_err(|_| bad())?;
            let cipher = Aes256Gcm::new_from_slice(&key).map_err(|_| bad())?;
            let plain_id =
                (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if !plain_id || keys.iter().any(|(known, ..)| known == id) {
                return Err(bad());
            }
            keys.push((id.to_owned(), cipher, keyed_hash::derived(&key)));
        }
        Ok(Self(keys))
    }

    /// What has too little in it to be hashed without a key, an address or a code, as HMAC-SHA256: 43 letters of base64url for each key, the
    /// first key's first. That is stored, and all are looked for: so what was hashed before a rotation is found until its key goes. It is for
    /// what is kept for a day; for tokens there is [`token::Pepper`]. `purpose` has no NUL.
    pub fn keyed_hashes(&self, purpose: &str, bytes: &[u8]) -> Vec<String> {
        self.0.iter().map(|(_, _, hmac)| keyed_hash::hash(hmac, purpose, bytes)).collect()
    }

    /// Whether `text` is one of [`Keyring::keyed_hashes`], for what others bring who were given it.
    pub fn is_keyed_hash(&self, purpose: &str, bytes: &[u8], text: &str) -> bool {
        self.0.iter().any(|(_, _, hmac)| keyed_hash::is_hash(hmac, purpose, bytes, text))
    }

    /// Seals `plain` for one place, for example `stripe_connections/42/webhook_secrets`.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let (id, cipher, _) = self.0.first().ok_or(CryptoError::Seal)?;
        let nonce = Nonce::<Aes256Gcm>::generate();
        let payload = Payload { msg: plain, aad: place.as_bytes() };
        let sealed = cipher.encrypt(&nonce, payload).map_err(|_| CryptoError::Seal)?;
        let length = u8::try_from(id.len()).map_err(|_| CryptoError::Seal)?;
        Ok([&[VERSION, length], id.as_bytes(), nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`Keyring::seal`] made for the same place.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<SecretString, CryptoError> {
        let (id, nonce, body) = parts(sealed)?;
        let (_, cipher, _) = self
            .0
            .iter()
            .find(|(known, ..)| known == id)
            .ok_or_else(|| CryptoError::UnknownKey(id.to_owned()))?;
        let nonce = Nonce::<Aes256Gcm>::try_from(nonce).map_err(|_| CryptoError::Damaged)?;
        let plain = cipher
            .decrypt(&nonce, Payload { msg: body, aad: place.as_bytes() })
            .map_err(|_| CryptoError::Refused(id.to_owned()))?;
        String::from_utf8(plain).map(SecretString::from).map_err(|_| CryptoError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn key(id: &str, byte: u8) -> String {
        format!("{id}:{}", STANDARD.encode([byte; 32]))
    }

    #[test]
    fn what_was_sealed_opens_at_its_place_only() {
        let ring = Keyring::parse(&key("k1", 1)).unwrap();
        let sealed = ring.seal("t/1", b"whsec_x").unwrap();
        assert_eq!(ring.open("t/1", &sealed).unwrap().expose_secret(), "whsec_x");
        assert_eq!(ring.open("t/2", &sealed).unwrap_err(), CryptoError::Refused("k1".into()));
        assert!(!sealed.windows(7).any(|w| w == b"whsec_x"));
        assert_ne!(sealed, ring.seal("t/1", b"whsec_x").unwrap(), "a nonce is used once");
    }

    #[test]
    fn the_first_key_seals_and_every_key_opens() {
        let old = Keyring::parse(&key("old", 1)).unwrap().seal("p", b"s").unwrap();
        let both = Keyring::parse(&format!("{},{}", key("new", 2), key("old", 1))).unwrap();
        assert_eq!(both.open("p", &old).unwrap().expose_secret(), "s");
        let new = both.seal("p", b"s").unwrap();
        assert_eq!((key_id(&old), key_id(&new), both.first()), (Ok("old"), Ok("new"), "new"));
        let gone = Keyring::parse(&key("old", 1)).unwrap().open("p", &new).unwrap_err();
        assert_eq!(gone, CryptoError::UnknownKey("new".into()));
    }

    #[test]
    fn damage_is_an_error_never_a_panic() {
        let ring = Keyring::parse(&key("k", 7)).unwrap();
        let sealed = ring.seal("p", b"secret").unwrap();
        for cut in 0..sealed.len() {
            assert!(ring.open("p", &sealed[..cut]).is_err(), "cut at {cut}");
        }
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert!(ring.open("p", &flipped).is_err(), "bit flipped at {at}");
        }
    }

    #[test]
    fn generated_keys_are_good_and_differ() {
        let (one, other) = (generate("k20261122"), generate("k20261122"));
        assert_ne!(one.expose_secret(), other.expose_secret());
        let ring = Keyring::parse(one.expose_secret()).unwrap();
        assert_eq!(ring.ids().collect::<Vec<_>>(), ["k20261122"]);
        let sealed = ring.seal("p", b"s").unwrap();
        let refused = Keyring::parse(other.expose_secret()).unwrap().open("p", &sealed).unwrap_err();
        assert_eq!(refused, CryptoError::Refused("k20261122".into()), "the same id, another key");
    }

    #[test]
    fn an_error_names_the_key_and_the_variable_and_shows_nothing_else() {
        let ring = Keyring::parse(&key("k1", 1)).unwrap();
        let other = Keyring::parse(&key("k2", 2)).unwrap();
        let sealed = ring.seal("place", b"hunter2").unwrap();
        for error in [other.open("place", &sealed).unwrap_err(), ring.open("moved", &sealed).unwrap_err()] {
            let said = error.to_string();
            assert!(said.contains("'k1'") && said.contains("ENCRYPTION_KEYS"), "{said}");
            assert!(!said.contains("hunter2") && !said.contains(&STANDARD.encode([1; 32])), "{said}");
        }
    }

    #[test]
    fn keys_are_checked() {
        for bad in ["", "k", "k:", "k:AAAA", ":AAAA", &format!("{0},{0}", key("k", 1)), &key("k y", 1)] {
            assert!(matches!(Keyring::parse(bad), Err(CryptoError::Key(_))), "{bad}");
        }
        assert_eq!(format!("{:?}", Keyring::parse(&key("k1", 1)).unwrap()), r#"["k1"]"#);
    }

    const OLD: &str = "old:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    const NEW: &str = "new:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";

    #[test]
    fn it_depends_on_key_purpose_and_bytes_and_outlives_a_rotation() {
        let (old, new) = (Keyring::parse(OLD).unwrap(), Keyring::parse(NEW).unwrap());
        let hash = old.keyed_hashes("address", b"ana@example.com");
        assert!(hash.len() == 1 && hash[0].len() == 43, "{hash:?}");
        for other in [
            new.keyed_hashes("address", b"ana@example.com"),
            old.keyed_hashes("code", b"ana@example.com"),
            old.keyed_hashes("address", b"ben@example.com"),
        ] {
            assert_ne!(hash, other);
        }
        let both =
            Keyring::parse(&format!("{NEW},{OLD}")).unwrap().keyed_hashes("address", b"ana@example.com");
        assert_eq!((both.len(), &both[1]), (2, &hash[0]));
        let both = Keyring::parse(&format!("{NEW},{OLD}")).unwrap();
        assert!(both.is_keyed_hash("address", b"ana@example.com", &hash[0]));
        assert!(!new.is_keyed_hash("address", b"ana@example.com", &hash[0]));
        for text in ["", "=", &hash[0][1..], &format!("{}=", hash[0]), &hash[0].to_lowercase()] {
            assert!(!both.is_keyed_hash("address", b"ana@example.com", text), "{text}");
        }
    }

    /// `K=$(printf 'nexrole keyed hash' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0101…01 -r | cut -d' ' -f1)`, then
    /// `printf 'p\0b' | openssl dgst -sha256 -mac HMAC -macopt hexkey:$K -binary | basenc --base64url`.
    #[test]
    fn the_known_answer_of_openssl() {
        assert_eq!(
            Keyring::parse(OLD).unwrap().keyed_hashes("p", b"b"),
            ["RtbzwPx60iKzow9kkUnSv5EwRMcFKGktvLhC0X2twxI"]
        );
    }
}
