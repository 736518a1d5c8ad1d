//! Disconnects a guild's Stripe account. In: the last part of its webhook address. Out: [`Disconnected`].
//!
//! Nobody loses a role by it: nothing says that what was paid for has ended. It stays as it is until the account is connected
//! again, or an owner ends it.

use super::{ActionError, begin_known};
use crate::{
    db::{authorized::Authorized, pool::Pool},
    domain::audit::{AuditAction, AuditEntry, Change},
    store::{
        access_sources, audit_log,
        sealed::Column,
        stripe_connections::{self, ENVIRONMENT},
    },
};

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disconnected {
    /// The guild has no such connection.
    Unknown,
    AlreadySo,
    /// It is neither read nor heard any more, and its sealed secrets are gone.
    Disconnected {
        label: String,
        livemode: bool,
        /// Variables of the gateway describe it: it is connected again when a gateway starts with them.
        is_described: bool,
        /// Reasons for a role that stay as they are.
        frozen: i64,
    },
}

pub async fn disconnect(
    pool: &Pool,
    by: &Authorized,
    endpoint_id: &str,
) -> Result<Disconnected, ActionError> {
    let mut tenant = begin_known(pool, by).await?;
    let all = stripe_connections::of_guild(&mut tenant).await?;
    let Some(found) = all.into_iter().find(|connection| connection.endpoint_id == endpoint_id) else {
        return Ok(Disconnected::Unknown);
    };
    let id = found.connection_id;
    let Some(before) = stripe_connections::disconnect(&mut tenant, id).await? else {
        return Ok(Disconnected::AlreadySo);
    };
    let gone = |was_there: bool| was_there.then_some("sealed");
    let change = Change::default()
        .field("state", Some(before.state.as_str()), Some("disconnected"))
        .field(Column::ApiKey.name(), gone(before.has_api_key), None)
        .field(Column::WebhookSecrets.name(), gone(before.has_webhook_secrets), None);
    let entry = AuditEntry::new(by.actor(), AuditAction::ConnectionEnded, format!("connection {id}"));
    audit_log::record(&mut tenant, &entry.change(change)).await?;
    let frozen = access_sources::count_live(&mut tenant, id).await?;
    tenant.commit().await?;
    let is_described = found.label == ENVIRONMENT;
    Ok(Disconnected::Disconnected { label: found.label, livemode: found.livemode, is_described, frozen })
}
