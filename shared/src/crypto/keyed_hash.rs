//! Hashes of what has too little in it to be hashed without a key: an address, a code of eight digits. In: what it is for, and the bytes. Out:
//! HMAC-SHA256 under a key that is derived from one of `ENCRYPTION_KEYS`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The key that hashes is another than the one that seals.
pub(super) fn derived(key: &[u8]) -> Hmac<Sha256> {
    let of = |key: &[u8]| Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    of(&of(key).chain_update(b"nexrole keyed hash").finalize().into_bytes())
}

/// Whether it is what [`hash`] gives, in constant time.
pub(super) fn is_hash(hmac: &Hmac<Sha256>, purpose: &str, bytes: &[u8], text: &str) -> bool {
    let said = hmac.clone().chain_update(purpose).chain_update([0_u8]).chain_update(bytes);
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|hash| said.verify_slice(&hash).is_ok())
}

/// 43 letters of base64url. `purpose` has no NUL: no two purposes give the same hash.
pub(super) fn hash(hmac: &Hmac<Sha256>, purpose: &str, bytes: &[u8]) -> String {
    let hash = for_purpose(hmac, purpose).chain_update(bytes).finalize();
    URL_SAFE_NO_PAD.encode(hash.into_bytes())
}

/// What goes on with the bytes. `purpose` has no NUL.
pub(super) fn for_purpose(hmac: &Hmac<Sha256>, purpose: &str) -> Hmac<Sha256> {
    hmac.clone().chain_update(purpose).chain_update([0_u8])
}
