//! A member gives up what they paid for: none of it is theirs any more, and nobody else's by that. In: a [`Claimant`]. Out: [`GivenUp`].

use super::{ActionError, hand_over::end, move_links::lock_all};
use crate::{
    db::{pool::Pool, tenant},
    domain::audit::Actor,
    sessions::Claimant,
    store::{
        customer_hands::{self, Held},
        linked_sources::{self, Linked},
        member_links, role_jobs,
    },
};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GivenUp {
    /// Customers that are nobody's now.
    pub customers: usize,
    /// Those that stay theirs: the owner's metadata at Stripe says so, and would say so again at once.
    pub named: usize,
}

pub async fn give_up(pool: &Pool, by: &Claimant) -> Result<GivenUp, ActionError> {
    let mut tenant = tenant::begin(pool, by.guild()).await.map_err(ActionError::Unreachable)?;
    let mut given_up = GivenUp::default();
    for one in lock_all(&mut tenant, by.user()).await? {
        if one.is_named {
            given_up.named += 1;
            continue;
        }
        let Held { connection, customer, hands, .. } = one;
        let gives = linked_sources::of_customer(&mut tenant, connection, &customer, by.user()).await?;
        if member_links::unlink(&mut tenant, connection, &customer, Actor::Member).await? != Some(by.user()) {
            return Err(sqlx::Error::RowNotFound.into());
        }
        customer_hands::keep(&mut tenant, connection, &customer, hands).await?;
        for Linked { source, live, .. } in gives {
            end(&mut tenant, &source, live.given, GIVEN_UP).await?;
        }
        given_up.customers += 1;
    }
    role_jobs::announce_with(&mut tenant).await?;
    tenant.commit().await?;
    Ok(given_up)
}

const GIVEN_UP: &str = "they unlinked its customer themselves";
