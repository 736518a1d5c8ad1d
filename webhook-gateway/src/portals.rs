//! Reads the configuration of each connection's customer portal, once a day. In: connections whose turn it is. Out: the page on which their
//! members manage or cancel, or why there is none.
//!
//! Nothing waits for it: it is read as sweeps are, and no failure of it is one of the connection's.

use std::{sync::Arc, time::Duration};

use shared::{
    background::{self, Next},
    db::{
        pool::{Pool, within},
        tenant,
    },
    domain::{billing::portal::PortalRead, daily},
    store::{stripe_connections::Connection, stripe_portals},
};
use tokio_util::sync::CancellationToken;

use crate::{
    failed::Failed,
    stripe::{
        api::{ReadClient, ReadError},
        credentials::Keys,
    },
};

/// How long a turn is kept: longer than Stripe may take to answer.
const KEPT: Duration = Duration::from_secs(120);
/// After a failure. What was read before is shown meanwhile.
const RETRY: Duration = Duration::from_secs(3600);

pub struct Portals {
    pub pool: Pool,
    pub stripe: ReadClient,
    pub keys: Arc<Keys>,
    /// How often to check whether one is due.
    pub poll: Duration,
}

/// Reads until `stop`.
pub async fn run(portals: Portals, stop: CancellationToken) {
    background::repeat(&stop, || async {
        Next::After(if portals.tick().await { Duration::ZERO } else { portals.poll })
    })
    .await;
}

impl Portals {
    /// Reads one, if one is due.
    pub async fn tick(&self) -> bool {
        let taken = within(async { stripe_portals::take(&mut self.pool.across().await?, KEPT).await });
        match taken.await {
            Ok(None) => false,
            Ok(Some(connection)) => {
                if let Err(error) = self.read(connection).await {
                    tracing::info!(guild.id = %connection.guild, %error, "the customer portal's configuration could not be read");
                    self.put_off(connection, &error).await;
                }
                true
            }
            Err(error) => {
                tracing::debug!(%error, "waiting for the database and its schema");
                false
            }
        }
    }

    async fn read(&self, connection: Connection) -> Result<(), Failed> {
        let key = self.keys.of(connection).await?;
        let read = self.stripe.portal(&key.key.for_sweeps()).await?;
        if read == PortalRead::Refused {
            tracing::info!(guild.id = %connection.guild,
                "the key lacks Read on Customer portal: members are shown no page to manage or cancel what they pay for, unless \
                 `nexrole portal` has its link");
        }
        let wait = daily::until_next(connection.guild, connection.id, shared::clock::now());
        within(async {
            let mut tenant = tenant::begin(&self.pool, connection.guild).await?;
            stripe_portals::was_read(&mut tenant, connection.id, &read, wait).await?;
            tenant.commit().await
        })
        .await?;
        Ok(())
    }

    async fn put_off(&self, connection: Connection, error: &Failed) {
        let wait = match error {
            Failed::Stripe(ReadError::Busy(after) | ReadError::Spent(after)) => *after,
            _ => RETRY,
        };
        let put = within(async {
            let mut tenant = tenant::begin(&self.pool, connection.guild).await?;
            stripe_portals::retry(&mut tenant, connection.id, wait).await?;
            tenant.commit().await
        });
        if let Err(error) = put.await {
            tracing::warn!(%error, "the turn could not be put off; it is taken again after two minutes");
        }
    }
}
