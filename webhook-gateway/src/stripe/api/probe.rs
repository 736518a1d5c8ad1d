//! One small read of each kind, to learn what a key may read. In: a key and a kind. Out: the time at Stripe, or why not.

use reqwest::{StatusCode, header};
use secrecy::{ExposeSecret, SecretString};

use super::{ReadClient, ReadError, busy};

/// A permission of a restricted key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// As Stripe's page for keys calls it.
    pub name: &'static str,
    path: &'static str,
}

/// Without these nothing works.
pub const NEEDED: [Permission; 3] = [
    Permission { name: "Customers", path: "/customers" },
    Permission { name: "Subscriptions", path: "/subscriptions" },
    Permission { name: "Events", path: "/events" },
];

/// Without these what is sold is not listed.
pub const WANTED: [Permission; 3] = [
    Permission { name: "Prices", path: "/prices" },
    Permission { name: "Products", path: "/products" },
    Permission { name: "Payment Links", path: "/payment_links" },
];

/// Without these an invoice or a checkout that a thin event names cannot be read.
pub const FOR_THIN_EVENTS: [Permission; 2] = [
    Permission { name: "Invoices", path: "/invoices" },
    Permission { name: "Checkout Sessions", path: "/checkout/sessions" },
];

/// Without these, nor without those, what was bought once gives nothing, and refunds and disputes change nothing.
pub const FOR_PAYMENTS: [Permission; 3] = [
    Permission { name: "PaymentIntents", path: "/payment_intents" },
    Permission { name: "Charges and Refunds", path: "/charges" },
    Permission { name: "Disputes", path: "/disputes" },
];

/// Without it members are shown no page to manage or cancel what they pay for, unless its link was pasted.
pub const FOR_PORTAL: [Permission; 1] =
    [Permission { name: "Customer portal", path: "/billing_portal/configurations" }];

impl ReadClient {
    /// Reads one object of a kind, and forgets it. Out: the `Date` header.
    pub async fn probe(
        &self,
        key: &SecretString,
        permission: Permission,
    ) -> Result<Option<String>, ReadError> {
        let unavailable = |error: reqwest::Error| ReadError::Unavailable(error.without_url().to_string());
        let request = self.http.get(format!("{}{}?limit=1", self.base, permission.path));
        let answer = request
            .bearer_auth(key.expose_secret())
            .header("Stripe-Version", stripe_shared::version::VERSION.as_str())
            .send()
            .await
            .map_err(unavailable)?;
        match answer.status() {
            StatusCode::OK => {}
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                return Err(ReadError::Refused(status.as_u16()));
            }
            StatusCode::TOO_MANY_REQUESTS => return Err(ReadError::Busy(busy(None))),
            other => return Err(ReadError::Unavailable(format!("status {}", other.as_u16()))),
        }
        let date = answer.headers().get(header::DATE).and_then(|date| Some(date.to_str().ok()?.to_owned()));
        Ok(date)
    }
}
