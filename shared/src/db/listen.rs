//! Hearing a channel. In: a service's pool. Out: a connection of its own that can do nothing but listen.

use sqlx::postgres::PgListener;

use super::pool::Pool;

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
