//! The transaction of a server that uses us, and what is said of one that does not.

use anyhow::{Context, anyhow, bail};
use shared::{
    actions::ActionError,
    db::{
        pool::Pool,
        tenant::{self, Tenant},
    },
    ids::GuildId,
    store::stripe_connections,
};

const AWAY: &str = "the database cannot be reached";

/// Begins the guild's transaction, to read; fails for one that does not use us.
pub(super) async fn known(pool: &Pool, guild: GuildId) -> anyhow::Result<Tenant> {
    let mut tenant = tenant::begin(pool, guild).await.context(AWAY)?;
    if !stripe_connections::knows_guild(&mut tenant).await? {
        bail!(unknown(guild));
    }
    Ok(tenant)
}

/// Why an action was not carried out, and what helps.
pub(super) fn failed(guild: GuildId, error: ActionError) -> anyhow::Error {
    match error {
        ActionError::Unreachable(error) => anyhow::Error::new(error).context(AWAY),
        ActionError::UnknownGuild => anyhow!(unknown(guild)),
        ActionError::Database(error) => error.into(),
    }
}

fn unknown(guild: GuildId) -> String {
    format!("server {guild} does not use Nexrole; is the id right?")
}
