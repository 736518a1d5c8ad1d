//! The customer portal: where members of an account manage or cancel what they pay for. In: a key. Out: what the account's default
//! configuration says of its login page.

use serde::Serialize;
use shared::domain::billing::portal::PortalRead;
use stripe_client_core::{RequestBuilder, StripeMethod};

use super::{ReadClient, ReadError};
use crate::stripe::{
    budget::ApiKey,
    read::{
        catalogue::WirePage,
        portal::{WirePortal, portal},
    },
};

/// async-stripe's builder for it is behind a feature that has all of the portal's parameters, for two of them.
#[derive(Serialize)]
struct Default {
    is_default: bool,
    limit: i64,
}

impl ReadClient {
    /// One read. A key that may not read it is an answer, too: an owner need not allow it.
    pub async fn portal(&self, key: &ApiKey) -> Result<PortalRead, ReadError> {
        let request = RequestBuilder::new(StripeMethod::Get, "/billing_portal/configurations")
            .query(&Default { is_default: true, limit: 1 });
        match self.get::<WirePage<WirePortal>>(key, &request).await {
            Ok(page) => portal(&page.data).map_err(|error| ReadError::Unreadable(error.to_string())),
            Err(ReadError::Refused(403)) => Ok(PortalRead::Refused),
            Err(error) => Err(error),
        }
    }
}
