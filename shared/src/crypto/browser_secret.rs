//! What a browser holds and we do not: 256 random bits in a cookie. In: nothing, or the cookie's text. Out: its hash, which is what is
//! stored; other secrets that follow from it, each for one purpose; and values that open only while the browser shows it.

use std::fmt;

use aes_gcm::{Aes256Gcm, Key, aead::Generate};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::{CryptoError, Keyring, keyed_hash};

const BYTES: usize = 32;

/// As text: 43 letters of base64url.
#[derive(Clone, PartialEq, Eq)]
pub struct BrowserSecret([u8; BYTES]);

impl fmt::Debug for BrowserSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrowserSecret(…)")
    }
}

impl BrowserSecret {
    /// Of the operating system's randomness.
    pub fn generate() -> Self {
        Self(Key::<Aes256Gcm>::generate().into())
    }

    /// What [`BrowserSecret::text`] gave; `None` for anything else, and for a second spelling of the same bits.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; BYTES] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        Some(Self(bytes))
    }

    /// For the cookie.
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// SHA-256 of the text, as base64url: what is stored. Of 256 random bits a fast hash is enough (OWASP ASVS 5.0, 6.5.2).
    pub fn hash(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.text()))
    }

    /// Another secret of 256 bits, as 43 letters of base64url: HMAC-SHA256. Neither this one nor that of another purpose follows from it.
    pub fn derive(&self, purpose: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.mac(purpose).finalize().into_bytes())
    }

    /// Whether `text` is what [`BrowserSecret::derive`] gives, in constant time.
    pub fn derives(&self, purpose: &str, text: &str) -> bool {
        URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| self.mac(purpose).verify_slice(&bytes).is_ok())
    }

    /// Seals a text that only this secret opens, as base64url.
    pub fn seal(&self, place: &str, text: &str) -> Result<String, CryptoError> {
        Ok(URL_SAFE_NO_PAD.encode(self.keyring().seal(place, text.as_bytes())?))
    }

    /// Opens what [`BrowserSecret::seal`] made for the same place.
    pub fn open(&self, place: &str, sealed: &str) -> Result<String, CryptoError> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| CryptoError::Damaged)?;
        Ok(self.keyring().open(place, &sealed)?.expose_secret().to_owned())
    }

    fn mac(&self, purpose: &str) -> Hmac<Sha256> {
        // HMAC takes keys of any length: the trait's error is for other algorithms.
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes 32 bytes");
        mac.chain_update(purpose)
    }

    fn keyring(&self) -> Keyring {
        let key: [u8; BYTES] = self.mac("seal").finalize().into_bytes().into();
        Keyring(vec![("browser".to_owned(), Aes256Gcm::new(&key.into()), keyed_hash::derived(&key))])
    }
}

/// The text of a secret that is given out, so that it is not logged by accident.
impl From<&BrowserSecret> for SecretString {
    fn from(secret: &BrowserSecret) -> Self {
        Self::from(secret.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_or_derived_does_not_lead_back() {
        let (one, other) = (BrowserSecret::generate(), BrowserSecret::generate());
        assert_ne!(one, other);
        let text = one.text();
        assert_eq!(text.len(), 43);
        assert_eq!(BrowserSecret::parse(&text), Some(one.clone()));
        let all =
            [text.clone(), one.hash(), one.derive("a"), one.derive("b"), other.hash(), other.derive("a")];
        for (n, this) in all.iter().enumerate() {
            assert!(this.len() == 43 && !all[..n].contains(this), "{n}");
        }
        assert!(!format!("{one:?}").contains(&text));
        assert!(one.derives("a", &one.derive("a")));
        for wrong in [one.derive("b"), other.derive("a"), String::new(), "!".to_owned()] {
            assert!(!one.derives("a", &wrong), "{wrong}");
        }
    }

    #[test]
    fn only_43_letters_of_base64url_are_a_secret() {
        let text = BrowserSecret::generate().text();
        for wrong in ["", &text[..42], &format!("{text}A"), &format!("{text}="), &format!("{} ", &text[..42])]
        {
            assert_eq!(BrowserSecret::parse(wrong), None, "{wrong:?}");
        }
        // The last letter has two bits that are not part of the secret: they must be 0.
        let spelled_twice = format!("{}B", "A".repeat(42));
        assert!(
            BrowserSecret::parse(&"A".repeat(43)).is_some() && BrowserSecret::parse(&spelled_twice).is_none()
        );
    }

    #[test]
    fn what_one_browser_sealed_another_cannot_open() {
        let (one, other) = (BrowserSecret::generate(), BrowserSecret::generate());
        let sealed = one.seal("here", "tom_alt").unwrap();
        assert_eq!(one.open("here", &sealed).as_deref(), Ok("tom_alt"));
        assert!(one.open("there", &sealed).is_err() && other.open("here", &sealed).is_err());
        assert!(one.open("here", "!").is_err() && one.open("here", "").is_err());
    }
}
