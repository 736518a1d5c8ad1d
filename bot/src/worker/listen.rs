//! Hearing that there are jobs. A NOTIFY wakes the worker; polling guarantees, so a lost one costs a poll interval.

use std::{sync::Arc, time::Duration};

use shared::{
    background::{self, Next},
    db::{
        listen::{self, Heard},
        pool::{Pool, within},
    },
    store::role_jobs::CHANNEL,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const RECONNECT: Duration = Duration::from_secs(2);
/// A connection that is silent for so long is asked whether it is alive: a dead one would never say so.
const SILENCE: Duration = Duration::from_secs(20);

/// Listens until `stop`.
pub async fn run(pool: Pool, wake: Arc<Notify>, stop: CancellationToken) {
    background::repeat(&stop, || async {
        if let Err(error) = listen(&pool, &wake).await {
            tracing::warn!(%error, "wake-ups cannot be heard for a moment; polling goes on");
        }
        Next::After(RECONNECT)
    })
    .await;
}

async fn listen(pool: &Pool, wake: &Notify) -> Result<(), sqlx::Error> {
    let mut listening = within(listen::on(pool, CHANNEL)).await?;
    loop {
        // What came before we listened, or while we were away, is in the table.
        wake.notify_one();
        match tokio::time::timeout(SILENCE, listening.next()).await {
            Ok(Ok(Heard::Call)) => {}
            Ok(Ok(Heard::Gone)) => return Ok(()),
            Ok(Err(error)) => return Err(error),
            Err(_) => within(listening.ping()).await?,
        }
    }
}
