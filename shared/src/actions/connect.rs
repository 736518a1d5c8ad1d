//! Connects a guild's Stripe account, its secrets sealed. In: the secrets. Out: [`Connected`].

use secrecy::{ExposeSecret, SecretString};

use super::{ActionError, begin};
use crate::{
    crypto::{CryptoError, Fingerprint, Keyring},
    db::{authorized::Authorized, pool::Pool},
    domain::audit::{AuditAction, AuditEntry, Change},
    store::{
        audit_log,
        sealed::Column,
        stripe_connections::{self, Connection},
        stripe_cursors, stripe_portals,
    },
};

/// What is connected.
#[derive(Debug)]
pub struct Account<'a> {
    /// Several accounts of a guild differ by it.
    pub label: &'a str,
    pub livemode: bool,
    /// A restricted key of that mode.
    pub api_key: &'a SecretString,
    /// Signing secrets of the endpoint, separated by commas; `None` leaves what is there.
    pub webhook_secrets: Option<&'a SecretString>,
    /// Whether `metadata.discord_user_id` may link a customer; `None` leaves what is there, at first no.
    pub metadata_links: Option<bool>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connected {
    Connected {
        /// The last part of the webhook address.
        endpoint_id: String,
        webhook: Webhook,
    },
    /// The label is that of the connection which variables describe; nothing is written.
    ReservedLabel,
}

/// How events come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Webhook {
    /// Its secrets were given.
    Given,
    /// Its secrets stay as they were.
    Kept,
    /// It has none: events are polled.
    None,
}

/// Why an account was not connected.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error(transparent)]
    Action(#[from] ActionError),
    #[error(transparent)]
    Seal(#[from] CryptoError),
}

impl From<sqlx::Error> for ConnectError {
    fn from(error: sqlx::Error) -> Self {
        Self::Action(error.into())
    }
}

/// Connects; the same again replaces what is given, and keeps the rest.
pub async fn connect(
    pool: &Pool,
    by: &Authorized,
    keyring: &Keyring,
    account: &Account<'_>,
) -> Result<Connected, ConnectError> {
    let &Account { label, livemode, api_key, webhook_secrets, metadata_links } = account;
    if label == stripe_connections::ENVIRONMENT {
        return Ok(Connected::ReservedLabel);
    }
    let mut tenant = begin(pool, by).await?;
    stripe_connections::ensure_guild(&mut tenant).await?;
    let id = stripe_connections::ensure(&mut tenant, by.actor(), label, livemode, metadata_links).await?;
    stripe_cursors::ensure(&mut tenant, id).await?;
    let connection = Connection { guild: by.guild(), id };
    let seal = |column: Column, secret: &SecretString| {
        keyring.seal(&connection.place(column.name()), secret.expose_secret().as_bytes())
    };
    let (key_before, secrets_before) = stripe_connections::sealed(&mut tenant, id).await?;
    let opened = |column: Column, sealed: Option<&Vec<u8>>| {
        sealed.and_then(|sealed| keyring.open(&connection.place(column.name()), sealed).ok())
    };
    let before = fingerprints(opened(Column::ApiKey, key_before.as_ref()).as_ref());
    let mut change = Change::default().secrets(Column::ApiKey.name(), &before, &fingerprints(Some(api_key)));
    if webhook_secrets.is_some() {
        let before = fingerprints(opened(Column::WebhookSecrets, secrets_before.as_ref()).as_ref());
        change = change.secrets(Column::WebhookSecrets.name(), &before, &fingerprints(webhook_secrets));
    }
    let key = seal(Column::ApiKey, api_key)?;
    let secrets = webhook_secrets.map(|secrets| seal(Column::WebhookSecrets, secrets)).transpose()?;
    stripe_connections::seal(&mut tenant, id, Some(&key), secrets.as_deref()).await?;
    // This key may read what the last one might not.
    stripe_portals::read_now(&mut tenant, id).await?;
    if !change.is_empty() {
        let cause = format!("connection {id}: secrets");
        let entry = AuditEntry::new(by.actor(), AuditAction::ConnectionSet, cause).change(change);
        audit_log::record(&mut tenant, &entry).await?;
    }
    let endpoint_id = stripe_connections::endpoint_id(&mut tenant, id).await?;
    tenant.commit().await?;
    let webhook = match (secrets, secrets_before) {
        (Some(_), _) => Webhook::Given,
        (None, Some(_)) => Webhook::Kept,
        (None, None) => Webhook::None,
    };
    Ok(Connected::Connected { endpoint_id, webhook })
}

/// Of a list, each by itself. None for what cannot be opened any more.
fn fingerprints(secrets: Option<&SecretString>) -> Vec<Fingerprint> {
    let each = |one: &str| Fingerprint::of(&SecretString::from(one.trim()));
    secrets.map(|secrets| secrets.expose_secret().split(',').map(each).collect()).unwrap_or_default()
}
