//! A check at the start: does every sealed secret open? In: database and keys. Out: a line in the log for each server whose
//! secrets do not.
//!
//! The gateway starts all the same: those servers' webhooks are answered 503, so that Stripe sends them again, and nobody
//! loses a role. All others are served.

use std::time::Duration;

use shared::{
    background::{self, Next},
    crypto::Keyring,
    db::{
        pool::{Pool, within},
        tenant,
    },
    ids::GuildId,
    store::{sealed, stripe_connections},
};
use tokio_util::sync::CancellationToken;

const RETRY: Duration = Duration::from_millis(500);
/// One wrong key may concern everybody: the log needs to be read by a person.
const NAMED: u64 = 20;

/// Checks once, as soon as the database is there.
pub async fn check(pool: Pool, keyring: Option<Keyring>, stop: CancellationToken) {
    background::repeat(&stop, || async {
 match closed(&pool, keyring.as_ref()).await {
        Ok(0) => Next::Done,
        Ok(closed) => {
            tracing::error!(
                closed,
                "sealed secrets cannot be opened: the events of those servers wait at Stripe; `nexrole keys status` \
                 says what to do"
            );
            Next::Done
        }
        Err(error) => {
            tracing::debug!(%error, "sealed secrets cannot be checked yet");
            Next::After(RETRY)
        }
    }})
    .await;
}

/// How many do not open; the first of them are logged. Each tenant's in a transaction of its own: the session's role, which
/// faces the internet, sees no API key.
async fn closed(pool: &Pool, keyring: Option<&Keyring>) -> Result<u64, sqlx::Error> {
    let mut count = 0;
    let mut after: Option<GuildId> = None;
    loop {
        let guilds =
            within(async { stripe_connections::guilds(&mut pool.across().await?, after).await }).await?;
        for &guild in &guilds {
            count += closed_of(pool, guild, keyring, count).await?;
        }
        let Some(&last) = guilds.last() else { return Ok(count) };
        after = Some(last);
    }
}

/// The same for one tenant, where `before` were found elsewhere.
async fn closed_of(
    pool: &Pool,
    guild: GuildId,
    keyring: Option<&Keyring>,
    before: u64,
) -> Result<u64, sqlx::Error> {
    let values = within(async { sealed::of_tenant(&mut tenant::begin(pool, guild).await?).await }).await?;
    let mut count = 0;
    for value in &values {
        let wrong = match keyring.map(|keyring| value.opens(keyring)) {
            Some(Ok(())) => continue,
            Some(Err(error)) => error.to_string(),
            None => format!(
                "sealed with key '{}', but ENCRYPTION_KEYS is not set",
                value.key_id().unwrap_or("(damaged)")
            ),
        };
        count += 1;
        if before + count <= NAMED {
            let connection = value.connection;
            tracing::error!(guild.id = %connection.guild, connection.id = %connection.id,
                column = value.column.name(), wrong, "a sealed secret cannot be opened");
        }
    }
    Ok(count)
}
