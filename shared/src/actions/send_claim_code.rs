//! Has a code sent to the address that a subscriber names, if Stripe has it of a customer. In: who asks, and the address. Out: [`Sent`].
//!
//! Whether there is such a customer is found out later, when the mail's turn comes: here the statements and the answer are the same.

use std::time::Duration;

use uuid::Uuid;

use super::{ActionError, SealingError};
use crate::{
    clock::Timestamp,
    crypto::{self, CryptoError, Keyring},
    db::{pool::Pool, tenant},
    domain::{
        claim_code::{self, LIVES, MaySend},
        email::EmailAddress,
        mail::{ClaimCode, MailKind},
    },
    sessions::Claimant,
    store::{claim_codes, mails, stripe_connections},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// If the address is a customer's, a code is on its way. The id is for [`super::redeem_claim_code`].
    OnItsWay(Uuid),
    /// Too many were asked for within the hour.
    TooMany,
    /// Wrong codes were typed too often.
    Locked(Timestamp),
}

/// `pool`: the gateway's.
pub async fn send_claim_code(
    pool: &Pool,
    keyring: &Keyring,
    by: &Claimant,
    address: &EmailAddress,
) -> Result<Sent, SealingError> {
    let (guild, user, id) = (by.guild(), by.user(), Uuid::new_v4());
    let addresses = keyring.keyed_hashes(ADDRESS, address.normal().as_bytes());
    let code = claim_code::code(crypto::random_number());
    let code_hashes = keyring.keyed_hashes(CODE, &material(id, &code));
    let (Some(address_hash), Some(code_hash)) = (addresses.first(), code_hashes.first()) else {
        return Err(CryptoError::Seal.into());
    };
    let recipient = keyring.seal(&mails::place(guild, id, "recipient"), address.typed().as_bytes())?;
    let arguments = serde_json::to_vec(&ClaimCode { code }).map_err(|_| CryptoError::Seal)?;
    let arguments = keyring.seal(&mails::place(guild, id, "arguments"), &arguments)?;

    let mut tenant = tenant::begin(pool, guild).await.map_err(ActionError::Unreachable)?;
    if !stripe_connections::knows_guild(&mut tenant).await? {
        return Err(ActionError::UnknownGuild.into());
    }
    claim_codes::hold(&mut tenant).await?;
    let (asked, now) = claim_codes::asked(&mut tenant, user, &addresses).await?;
    match claim_code::may_send(&asked, now) {
        MaySend::Yes => {}
        MaySend::TooMany => return Ok(Sent::TooMany),
        MaySend::Locked(until) => return Ok(Sent::Locked(until)),
    }
    let superseded = claim_codes::supersede(&mut tenant, user, &addresses).await?;
    mails::cancel(&mut tenant, &superseded).await?;
    claim_codes::insert(&mut tenant, id, user, (address_hash, code_hash), LIVES).await?;
    let (kind, lives) = (MailKind::ClaimCode, LIVES);
    let (recipient, arguments, after) = (&recipient, &arguments, Duration::ZERO);
    let mail = mails::NewMail { id, kind, recipient, arguments, after, lives };
    mails::enqueue(&mut tenant, mail).await?;
    tenant.commit().await?;
    Ok(Sent::OnItsWay(id))
}

/// What the hashes are for.
const ADDRESS: &str = "claim_codes/address";
pub(super) const CODE: &str = "claim_codes/code";

/// The row's id is the salt: the same code in two rows has two hashes.
pub(super) fn material(id: Uuid, code: &str) -> Vec<u8> {
    [id.as_bytes(), code.as_bytes()].concat()
}
