//! Telling the bots that there is work. At most one NOTIFY per 20 ms, from outside the transactions that make jobs:
//! a NOTIFY inside them would hold a database-wide lock over their commits.

use std::{sync::Arc, time::Duration};

use shared::db::pool::Pool;
use shared::{db::pool::within, store::role_jobs};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const GAP: Duration = Duration::from_millis(20);

/// Sends a NOTIFY soon after each `work`, until `stop`. A lost one costs a bot's poll interval, nothing else.
pub async fn run(pool: Pool, work: Arc<Notify>, stop: CancellationToken) {
    while stop.run_until_cancelled(work.notified()).await.is_some() {
        let announced = async { role_jobs::announce(&mut pool.across().await?).await };
        if let Err(error) = within(announced).await {
            tracing::warn!(%error, "bots could not be woken; they will find the work when they poll");
        }
        tokio::time::sleep(GAP).await;
    }
}
