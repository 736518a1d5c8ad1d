//! The transaction of a server that uses us.

use anyhow::{Context, bail};
use shared::{
    db::{
        pool::Pool,
        tenant::{self, Tenant},
    },
    ids::GuildId,
    store::stripe_connections,
};

/// Begins the guild's transaction; fails for one that does not use us.
pub(super) async fn known(pool: &Pool, guild: GuildId) -> anyhow::Result<Tenant> {
    let mut tenant = tenant::begin(pool, guild).await.context("the database cannot be reached")?;
    if !stripe_connections::knows_guild(&mut tenant).await? {
        bail!("server {guild} does not use Nexrole; is the id right?");
    }
    Ok(tenant)
}
