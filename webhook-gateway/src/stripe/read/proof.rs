//! `GET /v1/checkout/sessions/{id}`, as a proof of who paid: nothing is expanded, and nothing of what was bought is looked at.

use serde::Deserialize;
use shared::domain::{
    claim::{CheckoutFact, CheckoutStatus},
    reference::ClientReference,
};

use super::{
    Unusable,
    customer::{CustomerOrId, WireMetadata},
    timestamp,
};
use crate::stripe::event::{Reference, lenient};

#[derive(Deserialize)]
pub(in crate::stripe) struct WireProof {
    id: String,
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    payment_status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    created: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    customer: Option<CustomerOrId>,
    /// The customer as an Account (`acct_…`), where Stripe has no Customer for it.
    #[serde(default, deserialize_with = "lenient")]
    customer_account: Option<Reference>,
    #[serde(default, deserialize_with = "lenient")]
    client_reference_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    metadata: Option<WireMetadata>,
}

impl WireProof {
    pub(in crate::stripe) fn id(&self) -> &str {
        &self.id
    }

    pub(in crate::stripe) fn fact(&self) -> Result<CheckoutFact, Unusable> {
        let customer = match (&self.customer, &self.customer_account) {
            (Some(customer), _) => Some(customer.fact()?.id),
            (None, Some(account)) => Some(CustomerOrId::Id(account.id().to_owned()).fact()?.id),
            (None, None) => None,
        };
        Ok(CheckoutFact {
            id: self.id.parse().map_err(|_| Unusable("checkout session id"))?,
            status: match self.status.as_deref() {
                Some("complete") => CheckoutStatus::Complete,
                Some("expired") => CheckoutStatus::Expired,
                _ => CheckoutStatus::Open,
            },
            is_paid: matches!(self.payment_status.as_deref(), Some("paid" | "no_payment_required")),
            // How old it is decides whether it proves anything.
            created: self.created.and_then(timestamp).ok_or(Unusable("checkout session's time"))?,
            customer,
            reference: self.client_reference_id.clone().map(ClientReference::new),
            named: WireMetadata::user(self.metadata.as_ref()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(fields: &str) -> Result<CheckoutFact, Unusable> {
        let text = format!(r#"{{"id":"cs_1","object":"checkout.session"{fields}}}"#);
        serde_json::from_str::<WireProof>(&text).unwrap().fact()
    }

    #[test]
    fn a_session_as_a_proof() {
        let read = fact(
            r#","created":100,"status":"complete","payment_status":"paid","customer":"cus_1",
               "client_reference_id":"order-17","metadata":{"discord_user_id":"7"}"#,
        )
        .unwrap();
        assert_eq!((read.status, read.is_paid), (CheckoutStatus::Complete, true));
        assert_eq!(read.customer, "cus_1".parse().ok());
        assert_eq!(read.reference.as_ref().map(ClientReference::expose), Some("order-17"));
        assert_eq!(read.named, "7".parse().ok());
    }

    #[test]
    fn what_is_missing_or_odd_proves_nothing() {
        assert!(
            fact("").is_err() && fact(r#","created":null"#).is_err() && fact(r#","created":"x""#).is_err()
        );
        let read = fact(r#","created":1,"status":7,"customer":null,"client_reference_id":[]"#).unwrap();
        assert_eq!((read.status, read.is_paid, read.customer), (CheckoutStatus::Open, false, None));
        assert_eq!(fact(r#","created":1,"status":"new""#).unwrap().status, CheckoutStatus::Open);
        let account = fact(r#","created":1,"customer_account":"acct_1""#).unwrap();
        assert_eq!(account.customer, "acct_1".parse().ok());
    }
}
