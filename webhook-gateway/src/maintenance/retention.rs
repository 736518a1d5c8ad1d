//! Forgetting, once an hour: what is finished for 90 days goes, in small batches, and the activity log's oldest day whole.

use std::time::Duration;

use shared::{
    background::{self, Next},
    db::pool::{Pool, within},
    store::{activity_log, retention},
};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(3600);
/// Rows per statement: each is done in milliseconds, and no vacuum waits for it.
const BATCH: i64 = 1000;
/// Between two batches.
const PAUSE: Duration = Duration::from_millis(200);

/// Sweeps until `stop`. A sweep that is cut off goes on an hour later.
pub async fn run(pool: Pool, stop: CancellationToken) {
    background::repeat(&stop, || async {
        if let Err(error) = within(async { activity_log::turn_days(&mut pool.across().await?).await }).await {
            tracing::warn!(%error, "the days of the activity log could not be turned; trying again in an hour");
        }
        while sweep(&pool).await {
            tokio::time::sleep(PAUSE).await;
        }
        Next::After(EVERY)
    })
    .await;
}

/// One batch of each table; whether there may be more.
async fn sweep(pool: &Pool) -> bool {
    match within(async { retention::sweep(&mut pool.across().await?, BATCH).await }).await {
        Ok(swept) => {
            tracing::debug!(?swept, "what is old is deleted");
            swept.is_more(BATCH)
        }
        Err(error) => {
            tracing::warn!(%error, "what is old could not be deleted; trying again in an hour");
            false
        }
    }
}
