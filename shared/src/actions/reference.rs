//! Tokens of personal links, and whom a purchase's reference names. In: for whom, or the reference as read from Stripe. Out: a token, or what
//! we know of it, and that a purchase waits.
//!
//! Nothing is linked here: a reference alone proves nothing of whoever paid.

use secrecy::SecretString;

use crate::{
    crypto::{Keyring, token},
    db::tenant::Tenant,
    domain::reference::{Carried, ClientReference, KIND, Known, LIVES, PER_HOUR},
    ids::{ConnectionId, UserId},
    store::link_tokens,
};

/// What its tokens are hashed for.
const PURPOSE: &str = "link_tokens";

/// What tokens are hashed with; a new one with the first. None: there are no keys, and none was ever made.
pub fn peppers(keyring: Option<&Keyring>) -> Vec<token::Pepper> {
    keyring.map(|keyring| token::Pepper::of(keyring, PURPOSE)).unwrap_or_default()
}

/// What became of the wish for a token.
#[derive(Debug, Clone)]
pub enum Made {
    /// For a Payment Link's `client_reference_id`. It is in no row, and cannot be shown again.
    Token(SecretString),
    /// Too many were made for them within the hour.
    TooMany,
    /// There is no key to hash it with.
    NoKey,
}

/// Makes a token for a member. The caller commits, and has no other row locked.
pub async fn make(tenant: &mut Tenant, peppers: &[token::Pepper], user: UserId) -> Result<Made, sqlx::Error> {
    let Some(pepper) = peppers.first() else { return Ok(Made::NoKey) };
    link_tokens::hold(tenant, user).await?;
    if link_tokens::made_lately(tenant, user).await? >= PER_HOUR {
        return Ok(Made::TooMany);
    }
    loop {
        let (token, stored) = token::issue(KIND, pepper);
        // 48 bits are the prefix: another has the same hardly ever.
        if link_tokens::insert(tenant, &stored, user, LIVES).await? {
            return Ok(Made::Token(token));
        }
    }
}

/// A token that we made in this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub prefix: String,
    pub known: Known,
}

/// `None`: it is none of ours, of another server, or forgotten.
pub async fn find(
    tenant: &mut Tenant,
    peppers: &[token::Pepper],
    reference: &ClientReference,
) -> Result<Option<Found>, sqlx::Error> {
    let text = reference.expose();
    let Some(prefix) = token::prefix(text, KIND) else { return Ok(None) };
    let found = link_tokens::find(tenant, prefix).await?;
    let is_it = |stored: &token::Stored| peppers.iter().any(|pepper| stored.is_of(text, pepper));
    Ok(found
        .filter(|(stored, _)| is_it(stored))
        .map(|(stored, known)| Found { prefix: stored.prefix, known }))
}

/// A completed purchase carries a reference that looks like ours: if it is, the purchase waits for whoever bought it. Answers whether it is.
pub async fn note(
    tenant: &mut Tenant,
    peppers: &[token::Pepper],
    connection: ConnectionId,
    carried: &Carried,
) -> Result<bool, sqlx::Error> {
    let Some(found) = find(tenant, peppers, &carried.reference).await? else { return Ok(false) };
    link_tokens::note(tenant, &found.prefix, connection, carried).await?;
    Ok(true)
}
