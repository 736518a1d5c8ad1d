//! What an owner may do, one file for each use case. In: an [`Authorized`] and what is wanted. Out: an enum of what came of it. What
//! subscribers do for themselves takes a [`crate::sessions::Subscriber`] instead, or, in one server, a [`crate::sessions::Claimant`].
//!
//! Each owns its transaction, and takes locks in the order of `docs/ARCHITECTURE.md`. None writes text: whoever calls says in its own
//! way, on a terminal, in Discord or on a page, what came of it.

use std::time::Duration;

use crate::{
    crypto::CryptoError,
    db::{
        authorized::Authorized,
        pool::Pool,
        tenant::{self, Tenant},
    },
    domain::{entitlement::mapping::Sold, stripe_object::ObjectKind},
    store::{role_mappings, stripe_connections, stripe_sync},
};

/// Between the reads that a changed mapping asks for: somebody may buy meanwhile, and Stripe allows 25 a second.
const SPACING: Duration = Duration::from_millis(50);

pub mod approve;
pub mod backfill;
pub mod claim;
pub mod connect;
pub mod discard;
pub mod disconnect;
pub mod enforce;
pub mod erase;
pub mod explain;
pub mod failed;
pub mod follow_payment;
pub mod give_back;
pub mod give_up;
pub mod grant;
mod hand_over;
pub mod held;
pub mod import;
pub mod invite_payers;
pub mod link;
pub mod list_members;
mod lock_bought;
pub mod map;
pub mod move_by_owner;
pub mod move_links;
pub mod notices;
pub mod portal;
pub mod rebuild;
pub mod redeem_claim_code;
pub mod reference;
pub mod retry;
pub mod revoke;
pub mod send_claim_code;
pub mod set_policy;
pub mod subscribe;
mod take;
pub mod unlink;
pub mod unmap;

/// Why an action was not carried out, nor any part of it.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    #[error("the database cannot be reached")]
    Unreachable(#[source] sqlx::Error),
    #[error("the server does not use Nexrole")]
    UnknownGuild,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// The same of an action that seals what it writes, or hashes it with a key.
#[derive(Debug, thiserror::Error)]
pub enum SealingError {
    #[error(transparent)]
    Action(#[from] ActionError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// Begins a guild's transaction, whether or not it uses us yet.
async fn begin(pool: &Pool, by: &Authorized) -> Result<Tenant, ActionError> {
    tenant::begin_as(pool, by).await.map_err(ActionError::Unreachable)
}

/// The same for a guild that uses us.
async fn begin_known(pool: &Pool, by: &Authorized) -> Result<Tenant, ActionError> {
    let mut tenant = begin(pool, by).await?;
    if !stripe_connections::knows_guild(&mut tenant).await? {
        return Err(ActionError::UnknownGuild);
    }
    Ok(tenant)
}

/// Has every known purchase and subscription with this among its items read again. Answers how many. The caller has locked the mappings.
async fn read_buyers_again(tenant: &mut Tenant, sold: &Sold) -> Result<usize, sqlx::Error> {
    let mut concerned = 0;
    // Connections in order, kinds in order, and ids in order within each: like everybody who marks objects.
    for (connection, sessions, subscriptions) in role_mappings::buyers(tenant, sold).await? {
        concerned += sessions.len() + subscriptions.len();
        for (kind, ids) in
            [(ObjectKind::CheckoutSession, sessions), (ObjectKind::Subscription, subscriptions)]
        {
            stripe_sync::mark_dirty_slowly(tenant, connection, kind, &ids, SPACING).await?;
        }
    }
    Ok(concerned)
}
