//! What a member paid for goes to another Discord account of theirs. In: the word of both accounts. Out: what went, and what stays.

use super::{ActionError, hand_over::hand_over, lock_bought::lock_bought};
use crate::{
    clock::Timestamp,
    db::{
        pool::Pool,
        tenant::{self, Tenant},
    },
    domain::moving::{Hands, MayMove},
    ids::{CustomerId, GuildId, UserId},
    sessions::{Claimant, Offer},
    store::{
        customer_hands::{self, Held},
        member_links, role_jobs,
    },
};

/// What may go, and what stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moving {
    /// Customers that go, or went.
    pub moves: usize,
    /// Of those that changed hands lately, the first may go then.
    pub rests_until: Option<Timestamp>,
    /// Those of which the owner's metadata at Stripe says whose they are.
    pub named: usize,
}

impl Moving {
    fn of(held: &[Held]) -> Self {
        let mut moving = Self::default();
        for one in held {
            match (one.is_named, one.hands.may_move(one.now)) {
                (true, _) => moving.named += 1,
                (false, MayMove::Yes) => moving.moves += 1,
                (false, MayMove::From(at)) => {
                    moving.rests_until = Some(moving.rests_until.map_or(at, |first| first.min(at)));
                }
            }
        }
        moving
    }
}

/// What a member could move now. Changes nothing.
pub async fn movable(pool: &Pool, guild: GuildId, member: UserId) -> Result<Moving, ActionError> {
    let mut tenant = tenant::begin(pool, guild).await.map_err(ActionError::Unreachable)?;
    Ok(Moving::of(&customer_hands::of_member(&mut tenant, member).await?))
}

/// Moves all that may move. `offer`: the old account's word; `by`: the new one's.
pub async fn move_links(pool: &Pool, offer: &Offer, by: &Claimant) -> Result<Moving, ActionError> {
    let from = offer.by();
    if by.guild() != offer.guild() || by.user() == from {
        return Ok(Moving::default());
    }
    let mut tenant = tenant::begin(pool, by.guild()).await.map_err(ActionError::Unreachable)?;
    let held = lock_all(&mut tenant, from).await?;
    for one in held.iter().filter(|one| !one.is_named && one.hands.may_move(one.now) == MayMove::Yes) {
        let Held { connection, customer, now, .. } = one;
        hand_over(&mut tenant, *connection, customer, from, by.user()).await?;
        let hands = Hands { user: by.user(), since: *now, was_moved: true };
        customer_hands::keep(&mut tenant, *connection, customer, hands).await?;
    }
    role_jobs::announce_with(&mut tenant).await?;
    tenant.commit().await?;
    Ok(Moving::of(&held))
}

/// What a member has, with nobody else at it: first the objects' rows, then the links, as everybody locks them.
pub(super) async fn lock_all(tenant: &mut Tenant, member: UserId) -> Result<Vec<Held>, ActionError> {
    let before = customer_hands::of_member(tenant, member).await?;
    // In order, and all of one connection are beside each other.
    for of_one in before.chunk_by(|one, next| one.connection == next.connection) {
        let Some(first) = of_one.first() else { continue };
        let customers: Vec<&CustomerId> = of_one.iter().map(|one| &one.customer).collect();
        lock_bought(tenant, first.connection, &customers, first.is_active).await?;
    }
    // Of what is not connected there are no objects to lock.
    member_links::hold_of_member(tenant, member).await?;
    // Somebody may have been faster; what came since was not locked, and waits for another time.
    let is_locked = |one: &Held| {
        before.iter().any(|was| (was.connection, &was.customer) == (one.connection, &one.customer))
    };
    let mut held = customer_hands::of_member(tenant, member).await?;
    held.retain(is_locked);
    Ok(held)
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;
    use crate::ids::ConnectionId;

    #[test]
    fn of_several_each_goes_or_stays_for_itself() {
        let now = Timestamp::UNIX_EPOCH + Duration::days(30);
        let held = |id: &str, age: Duration, is_named| Held {
            connection: ConnectionId::from_u64(1).unwrap(),
            customer: id.parse().unwrap(),
            is_active: true,
            is_named,
            hands: Hands { user: UserId::from_u64(1).unwrap(), since: now - age, was_moved: false },
            now,
        };
        let all = [
            held("cus_1", Duration::hours(1), false),
            held("cus_2", Duration::days(2), false),
            held("cus_3", Duration::days(3), false),
            held("cus_4", Duration::days(8), true),
            held("cus_5", Duration::days(8), false),
        ];
        let rests_until = Some(now + Duration::days(4));
        assert_eq!(Moving::of(&all), Moving { moves: 2, rests_until, named: 1 });
        assert_eq!(Moving::of(&[]), Moving::default());
    }
}
