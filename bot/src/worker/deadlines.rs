//! Ends what was given for a while. In: the time. Out: sources that have ended, each with its audit entry and a job that checks the
//! member.
//!
//! What was bought is not ended here: its time says when it is read again.

use std::time::Duration;

use shared::{
    background::{self, Next},
    db::{
        pool::{Pool, within},
        tenant,
    },
    ids::GuildId,
    store::access_given,
};
use tokio_util::sync::CancellationToken;

/// Guilds, and sources of each, per search.
const AT_ONCE: i64 = 500;

/// Ends what is over, until `stop`; `every`: how long to wait after a search that found nothing.
pub async fn run(pool: Pool, every: Duration, stop: CancellationToken) {
    background::repeat(&stop, || async {
        match sweep(&pool).await {
            Ok(0) => Next::After(every),
            Ok(ended) => {
                tracing::info!(ended, "what was given for a while has ended");
                Next::After(Duration::ZERO)
            }
            Err(error) => {
                tracing::warn!(%error, "what was given for a while cannot be looked for");
                Next::After(every)
            }
        }
    })
    .await;
}

/// One search: how many have ended. What another process is just ending is left to it.
pub async fn sweep(pool: &Pool) -> Result<u64, sqlx::Error> {
    let over =
        within(async { access_given::guilds_with_over(&mut pool.across().await?, AT_ONCE).await }).await?;
    let mut ended = 0;
    for guild in over {
        match within(in_guild(pool, guild)).await {
            Ok(sources) => ended += sources,
            // One that fails does not hold up the others.
            Err(error) => tracing::warn!(guild.id = %guild, %error, "what is over cannot be ended"),
        }
    }
    Ok(ended)
}

async fn in_guild(pool: &Pool, guild: GuildId) -> Result<u64, sqlx::Error> {
    let mut tenant = tenant::begin(pool, guild).await?;
    let ended = access_given::end_over(&mut tenant, AT_ONCE).await?;
    tenant.commit().await?;
    Ok(ended)
}
