//! Hearing a channel. In: a service's pool. Out: a connection of its own that can do nothing but listen.

use std::{sync::Arc, time::Duration};

use sqlx::postgres::PgListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::pool::{Pool, within};
use crate::background::{self, Next};

const RECONNECT: Duration = Duration::from_secs(2);
/// A connection that is silent for so long is asked whether it is alive: a dead one would never say so.
const SILENCE: Duration = Duration::from_secs(20);

/// Hears one channel.
#[derive(Debug)]
pub struct Listening(PgListener);

/// Connects, and listens from then on.
pub async fn on(pool: &Pool, channel: &str) -> Result<Listening, sqlx::Error> {
    // Not one of the pool's connections: a listener takes leave of its own without a time limit, also of a dead one.
    let mut listener = PgListener::connect_with(&pool.apart()).await?;
    listener.listen(channel).await?;
    Ok(Listening(listener))
}

/// What a listener hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Somebody announced something.
    Call,
    /// The connection is gone, and with it what was announced meanwhile.
    Gone,
}

impl Listening {
    /// Waits for the next.
    pub async fn next(&mut self) -> Result<Heard, sqlx::Error> {
        Ok(if self.0.try_recv().await?.is_some() { Heard::Call } else { Heard::Gone })
    }

    /// Asks whether the connection is alive.
    pub async fn ping(&mut self) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT 1").execute(&mut self.0).await?;
        Ok(())
    }
}

/// Notifies `wake` whenever somebody announced something on the channel, until `stop`. Also once it listens, and after each loss of
/// the connection: what came meanwhile is in the table.
pub async fn wake(pool: Pool, channel: &'static str, wake: Arc<Notify>, stop: CancellationToken) {
    background::repeat(&stop, || async {
        if let Err(error) = wake_until_lost(&pool, channel, &wake).await {
            tracing::warn!(%error, channel, "wake-ups cannot be heard for a moment; polling goes on");
        }
        Next::After(RECONNECT)
    })
    .await;
}

async fn wake_until_lost(pool: &Pool, channel: &str, wake: &Notify) -> Result<(), sqlx::Error> {
    let mut listening = within(on(pool, channel)).await?;
    loop {
        wake.notify_one();
        match tokio::time::timeout(SILENCE, listening.next()).await {
            Ok(Ok(Heard::Call)) => {}
            Ok(Ok(Heard::Gone)) => return Ok(()),
            Ok(Err(error)) => return Err(error),
            Err(_) => within(listening.ping()).await?,
        }
    }
}
