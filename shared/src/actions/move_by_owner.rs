//! A customer goes to another member by the owner's word: an account that is gone, a change that cannot wait. In: both. Out:
//! [`MovedByOwner`]. What it gives follows when Stripe was read, which ends it for one and begins it for the other in one step: an owner's
//! word alone begins nothing that is bought.

use super::{ActionError, begin_known, lock_bought::lock_bought};
use crate::{
    db::{authorized::Authorized, pool::Pool},
    ids::{CustomerId, UserId},
    store::{
        access_sources, customer_hands,
        member_links::{self, Linking, Proof},
        purchases,
    },
};

/// What came of an owner's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MovedByOwner {
    Moved {
        from: UserId,
        /// Subscriptions and purchases that had named somebody themselves.
        named: Vec<(String, UserId)>,
        /// Reasons for a role that ended: they came from an account, or mode, that is not connected any more.
        ended: usize,
    },
    AlreadySo,
    /// Nobody has it.
    NotLinked,
}

/// Moves one customer by the owner's word, whatever it rests.
pub async fn move_by_owner(
    pool: &Pool,
    by: &Authorized,
    customer: &CustomerId,
    to: UserId,
) -> Result<MovedByOwner, ActionError> {
    let mut tenant = begin_known(pool, by).await?;
    let mut moved = MovedByOwner::NotLinked;
    let known = member_links::connections_of(&mut tenant, customer).await?;
    for (connection, is_active) in &known {
        lock_bought(&mut tenant, *connection, &[customer], *is_active).await?;
    }
    for (connection, _) in known {
        let Some(from) = member_links::linked_user(&mut tenant, connection, customer).await? else {
            continue;
        };
        if from == to {
            if moved == MovedByOwner::NotLinked {
                moved = MovedByOwner::AlreadySo;
            }
            continue;
        }
        let mut named: Vec<_> = member_links::forget_named(&mut tenant, connection, customer)
            .await?
            .into_iter()
            .map(|(id, member)| (id.to_string(), member))
            .collect();
        named.extend(purchases::forget_named(&mut tenant, connection, customer).await?);
        let was = member_links::unlink(&mut tenant, connection, customer, by.actor()).await?;
        let proof = Proof::Owner(by.actor());
        let linking = member_links::link(&mut tenant, connection, customer, to, proof).await?;
        if was != Some(from) || linking != Linking::Linked {
            // Of what is not connected nothing is locked, and somebody was faster: nothing of this is written.
            return Err(sqlx::Error::RowNotFound.into());
        }
        customer_hands::let_go(&mut tenant, connection, customer).await?;
        moved = MovedByOwner::Moved { from, named, ended: 0 };
    }
    if let MovedByOwner::Moved { ended, .. } = &mut moved {
        *ended = access_sources::end_unbacked(&mut tenant, customer, by.actor()).await?;
    }
    tenant.commit().await?;
    Ok(moved)
}
