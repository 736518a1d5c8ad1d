//! Uses a code that came by e-mail: whoever has it is the customers whose address it went to. In: who, and what they typed. Out: [`Redeemed`].

use uuid::Uuid;

use super::{
    ActionError,
    send_claim_code::{CODE, material},
    take::{Taking, take},
};
use crate::{
    clock::Timestamp,
    crypto::Keyring,
    db::{
        pool::Pool,
        tenant::{self, Tenant},
    },
    domain::{
        activity::{Activity, ActivityEntry},
        claim_code::{self, Judgement, State},
        job::JobOrigin,
        stripe_object::ObjectKind,
    },
    ids::{ConnectionId, CustomerId, UserId},
    sessions::Claimant,
    store::{activity_log, claim_codes, member_links::Proof, stripe_sync},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeemed {
    /// The code was right, and is used up.
    Linked(Links),
    /// So many tries are left.
    Wrong(i32),
    /// Wrong codes were typed too often: neither this code nor a new one to this address counts until then.
    Locked(Timestamp),
    /// Used, replaced by a newer one, too old, or none of theirs.
    Gone,
}

/// What became of the customers that have the address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Links {
    /// That are theirs now.
    pub linked: usize,
    /// That were theirs before.
    pub already: usize,
    /// That are somebody else's, who keeps them.
    pub taken: usize,
    /// That somebody else gave up a short while ago: the first can be claimed then.
    pub rests_until: Option<Timestamp>,
}

/// `pool`: the gateway's. `code`: which one, as [`super::send_claim_code`] answered.
pub async fn redeem_claim_code(
    pool: &Pool,
    keyring: &Keyring,
    by: &Claimant,
    code: Uuid,
    typed: &str,
) -> Result<Redeemed, ActionError> {
    let mut tenant = tenant::begin(pool, by.guild()).await.map_err(ActionError::Unreachable)?;
    // Many at once wait here, one for the other.
    let Some(kept) = claim_codes::lock(&mut tenant, code, by.user()).await? else {
        return Ok(Redeemed::Gone);
    };
    // What is compared are HMACs: how far two are the same says nothing about the code.
    let digits = claim_code::parse(typed);
    let is_it = digits
        .is_some_and(|digits| keyring.keyed_hashes(CODE, &material(code, &digits)).contains(&kept.code_hash));
    let redeemed = match claim_code::judge(&kept.standing, is_it, kept.now) {
        Judgement::Gone => return Ok(Redeemed::Gone),
        Judgement::Locked(until) => return Ok(Redeemed::Locked(until)),
        Judgement::Wrong(left) => {
            claim_codes::tried(&mut tenant, code, State::Open, true).await?;
            Redeemed::Wrong(left)
        }
        Judgement::Locks(until) => {
            claim_codes::tried(&mut tenant, code, State::Locked, true).await?;
            let entry = ActivityEntry { user: Some(by.user()), ..Activity::ClaimLocked.into() };
            activity_log::record(&mut tenant, entry).await?;
            Redeemed::Locked(until)
        }
        Judgement::Right => {
            claim_codes::tried(&mut tenant, code, State::Used, false).await?;
            Redeemed::Linked(link(&mut tenant, by.user(), &kept.customers).await?)
        }
    };
    tenant.commit().await?;
    Ok(redeemed)
}

async fn link(
    tenant: &mut Tenant,
    user: UserId,
    customers: &[(ConnectionId, CustomerId)],
) -> Result<Links, ActionError> {
    // First the objects' rows, then the links: the order in which reads lock them too.
    for (connection, customer) in customers {
        let (kind, id) = (ObjectKind::Customer, [customer.to_string()]);
        stripe_sync::mark_dirty(tenant, *connection, kind, &id, JobOrigin::Command).await?;
    }
    let mut links = Links::default();
    for (connection, customer) in customers {
        match take(tenant, *connection, customer, user, Proof::Email).await? {
            Taking::Taken => links.linked += 1,
            Taking::AlreadyTheirs => links.already += 1,
            Taking::SomebodyElses => links.taken += 1,
            Taking::Rests(until) => {
                links.rests_until = Some(links.rests_until.map_or(until, |first| first.min(until)));
            }
        }
    }
    Ok(links)
}
