//! Whose customer an e-mail address is. In: a key, and an address. Out: the customers that have it, and how each writes it.

use std::collections::BTreeSet;

use serde::Serialize;
use shared::{domain::email::EmailAddress, ids::CustomerId};
use stripe_client_core::{RequestBuilder, StripeMethod};

use super::{PAGE, ReadClient, ReadError};
use crate::stripe::{
    budget::ApiKey,
    read::{catalogue::WirePage, customer::WireCustomer},
};

/// async-stripe's builder would do, and is no shorter.
#[derive(Serialize)]
struct WithEmail<'a> {
    email: &'a str,
    limit: i64,
}

impl ReadClient {
    /// Stripe looks for exactly what it is asked for, capitals and all (<https://docs.stripe.com/api/customers/list#list_customers-email>):
    /// it is asked for the address as it was typed, and in small letters. At most a hundred customers.
    pub async fn customers_with(
        &self,
        key: &ApiKey,
        address: &EmailAddress,
    ) -> Result<Vec<(CustomerId, EmailAddress)>, ReadError> {
        let mut found: Vec<(CustomerId, EmailAddress)> = Vec::new();
        for email in BTreeSet::from([address.typed().to_owned(), address.spelled(), address.normal()]) {
            let request = RequestBuilder::new(StripeMethod::Get, "/customers")
                .query(&WithEmail { email: &email, limit: PAGE });
            let page: WirePage<WireCustomer> = self.get(key, &request).await?;
            for wire in page.data {
                let unreadable =
                    |error: crate::stripe::read::Unusable| ReadError::Unreadable(error.to_string());
                let fact = wire.fact().map_err(unreadable)?;
                // Whatever was asked for: the answer is looked at.
                let theirs = wire.address().filter(|theirs| !fact.deleted && theirs.is_same_mailbox(address));
                if let Some(theirs) = theirs
                    && !found.iter().any(|(known, _)| *known == fact.id)
                {
                    found.push((fact.id, theirs));
                }
            }
        }
        Ok(found)
    }
}
