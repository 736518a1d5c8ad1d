//! Waiting past a stop.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Some time after `stop`.
pub(super) async fn after(stop: &CancellationToken, wait: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(wait).await;
}
