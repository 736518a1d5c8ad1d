//! Payments and what goes back of them: payment intents with their charge, disputes, and what leads to a payment.

use serde::Deserialize;
use serde_json::value::RawValue;
use shared::{
    clock::Timestamp,
    domain::{
        billing::{
            payment::PaidInvoice,
            reversal::{Dispute, Refund},
        },
        stripe_object::{Object, ObjectKind},
    },
    ids::CheckoutSessionId,
};

use super::timestamp;
use crate::stripe::event::{Reference, WireObject, lenient};

/// Whether Stripe sells in its own name (<https://docs.stripe.com/payments/managed-payments>).
#[derive(Deserialize)]
pub(super) struct WireManaged {
    #[serde(default, deserialize_with = "lenient")]
    enabled: Option<bool>,
}

impl WireManaged {
    pub(super) fn is_enabled(this: Option<&Self>) -> bool {
        this.and_then(|managed| managed.enabled).unwrap_or(false)
    }
}

/// `GET /v1/payment_intents/{id}?expand[]=latest_charge`
#[derive(Deserialize)]
pub(in crate::stripe) struct WirePaymentIntent {
    id: String,
    #[serde(default, deserialize_with = "lenient")]
    latest_charge: Option<WireCharge>,
    #[serde(default, deserialize_with = "lenient")]
    managed_payments: Option<WireManaged>,
}

/// The charge that settled it, expanded; of an id nothing is known.
#[derive(Deserialize)]
struct WireCharge {
    #[serde(default, deserialize_with = "lenient")]
    created: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    refunded: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    amount_refunded: Option<i64>,
    #[serde(default, deserialize_with = "lenient")]
    disputed: Option<bool>,
}

impl WirePaymentIntent {
    pub(in crate::stripe) fn id(&self) -> &str {
        &self.id
    }

    /// When the money came.
    pub(in crate::stripe) fn paid_at(&self) -> Option<Timestamp> {
        self.latest_charge.as_ref()?.created.and_then(timestamp)
    }

    /// Of a refund that bounced, Stripe takes the amount back from the charge.
    pub(in crate::stripe) fn refund(&self) -> Refund {
        let Some(charge) = &self.latest_charge else { return Refund::Unknown };
        match (charge.refunded, charge.amount_refunded) {
            (Some(true), _) => Refund::Full,
            (_, Some(amount)) if amount > 0 => Refund::Partial,
            (Some(false), _) | (None, Some(_)) => Refund::None,
            (None, None) => Refund::Unknown,
        }
    }

    /// Whether there never was a dispute, so that none need be read. A charge stays disputed when it is won.
    pub(in crate::stripe) fn was_never_disputed(&self) -> bool {
        self.latest_charge.as_ref().and_then(|charge| charge.disputed) == Some(false)
    }

    pub(in crate::stripe) fn is_managed(&self) -> bool {
        WireManaged::is_enabled(self.managed_payments.as_ref())
    }
}

/// A dispute on a list.
#[derive(Deserialize)]
pub(in crate::stripe) struct WireDispute {
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
}

impl WireDispute {
    /// Of all disputes about a payment the one that counts most.
    pub(in crate::stripe) fn worst(disputes: &[Self]) -> Dispute {
        let statuses = disputes.iter().map(|dispute| dispute.status.as_deref().unwrap_or_default());
        statuses.map(Dispute::parse).max().unwrap_or(Dispute::None)
    }
}

/// `GET /v1/charges/{id}`, `/v1/refunds/{id}`, `/v1/disputes/{id}`: what they are about.
#[derive(Deserialize)]
pub(in crate::stripe) struct WireOfPayment {
    #[serde(default, deserialize_with = "lenient")]
    payment_intent: Option<Reference>,
    #[serde(default, deserialize_with = "lenient")]
    charge: Option<Reference>,
    #[serde(default, deserialize_with = "lenient")]
    customer: Option<Reference>,
}

impl WireOfPayment {
    /// The payment; else the charge of a payment without intent; else, for such a charge, the customer, all of whose purchases are
    /// then read. `None`: nobody whom we know paid.
    pub(in crate::stripe) fn leads_to(&self) -> Option<Object> {
        let object = |kind, reference: &Reference| Object { kind, id: reference.id().to_owned() };
        let intent = self.payment_intent.as_ref().map(|intent| object(ObjectKind::PaymentIntent, intent));
        let charge = || self.charge.as_ref().map(|charge| object(ObjectKind::Charge, charge));
        let customer = || self.customer.as_ref().map(|customer| object(ObjectKind::Customer, customer));
        intent.or_else(charge).or_else(customer)
    }
}

/// A checkout session on a list.
#[derive(Deserialize)]
pub(in crate::stripe) struct WireListedSession {
    id: String,
    #[serde(default, deserialize_with = "lenient")]
    mode: Option<String>,
}

impl WireListedSession {
    pub(in crate::stripe) fn id(&self) -> &String {
        &self.id
    }

    /// Of a one-time purchase, or of what we do not know.
    pub(in crate::stripe) fn purchase(&self) -> Option<CheckoutSessionId> {
        let is_other = matches!(self.mode.as_deref(), Some("subscription" | "setup"));
        self.id.parse().ok().filter(|_| !is_other)
    }
}

/// An invoice payment on a list, with its invoice expanded.
#[derive(Deserialize)]
pub(in crate::stripe) struct WireInvoicePayment {
    #[serde(default, deserialize_with = "lenient")]
    status: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    payment: Option<WirePaidWith>,
    /// Read twice: for itself, and for the subscription that it bills.
    #[serde(default)]
    invoice: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct WirePaidWith {
    #[serde(default, deserialize_with = "lenient")]
    payment_intent: Option<Reference>,
}

#[derive(Deserialize)]
struct WirePaidInvoice {
    id: String,
    #[serde(default, deserialize_with = "lenient")]
    created: Option<i64>,
}

impl WireInvoicePayment {
    /// The payment that paid it; `None`: it was only tried, or money came in another way.
    pub(in crate::stripe) fn paying_intent(&self) -> Option<&str> {
        let payment = self.payment.as_ref().filter(|_| self.status.as_deref() == Some("paid"))?;
        payment.payment_intent.as_ref().map(Reference::id)
    }

    /// The invoice, if it is a subscription's.
    pub(in crate::stripe) fn paid_invoice(&self) -> Option<PaidInvoice> {
        let body = self.invoice.as_ref()?.get();
        let invoice: WirePaidInvoice = serde_json::from_str(body).ok()?;
        let object: WireObject = serde_json::from_str(body).ok()?;
        Some(PaidInvoice {
            id: invoice.id.parse().ok()?,
            subscription: object.subscription_id()?.parse().ok()?,
            created: invoice.created.and_then(timestamp)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payment(charge: &str) -> WirePaymentIntent {
        serde_json::from_str(&format!(r#"{{"id":"pi_1","latest_charge":{charge}}}"#)).unwrap()
    }

    #[test]
    fn what_was_refunded_is_said_by_the_charge() {
        for (charge, expected) in [
            (r#"{"id":"ch_1","refunded":true,"amount_refunded":500}"#, Refund::Full),
            (r#"{"id":"ch_1","refunded":false,"amount_refunded":1}"#, Refund::Partial),
            (r#"{"id":"ch_1","refunded":false,"amount_refunded":0}"#, Refund::None),
            (r#"{"id":"ch_1","amount_refunded":0}"#, Refund::None),
            (r#"{"id":"ch_1","refunded":"yes"}"#, Refund::Unknown),
            (r#""ch_1""#, Refund::Unknown),
            ("null", Refund::Unknown),
        ] {
            assert_eq!(payment(charge).refund(), expected, "{charge}");
        }
    }

    #[test]
    fn disputes_are_read_unless_there_never_was_one() {
        assert!(payment(r#"{"id":"ch_1","disputed":false}"#).was_never_disputed());
        for perhaps in [r#"{"id":"ch_1","disputed":true}"#, r#"{"id":"ch_1"}"#, r#""ch_1""#, "null"] {
            assert!(!payment(perhaps).was_never_disputed(), "{perhaps}");
        }
        let worst = |list: &str| WireDispute::worst(&serde_json::from_str::<Vec<WireDispute>>(list).unwrap());
        assert_eq!(worst("[]"), Dispute::None);
        assert_eq!(worst(r#"[{"status":"won"},{"status":"lost"}]"#), Dispute::Lost);
        assert_eq!(worst(r#"[{"status":null}]"#), Dispute::Unknown(String::new()));
    }

    #[test]
    fn a_refund_leads_to_its_payment_or_to_whoever_paid() {
        let leads = |body: &str| {
            let object = serde_json::from_str::<WireOfPayment>(body).unwrap().leads_to();
            object.map(|object| format!("{}:{}", object.kind.as_str(), object.id))
        };
        let all = r#"{"id":"re_1","payment_intent":"pi_1","charge":"ch_1","customer":"cus_1"}"#;
        assert_eq!(leads(all).as_deref(), Some("payment_intent:pi_1"));
        let old = r#"{"id":"re_1","payment_intent":null,"charge":{"id":"ch_1"}}"#;
        assert_eq!(leads(old).as_deref(), Some("charge:ch_1"));
        assert_eq!(leads(r#"{"id":"ch_1","customer":"cus_1"}"#).as_deref(), Some("customer:cus_1"));
        assert_eq!(leads(r#"{"id":"ch_1"}"#), None);
    }

    #[test]
    fn an_invoice_is_a_subscriptions_or_of_no_interest() {
        let of = |invoice: &str| {
            let payment: WireInvoicePayment =
                serde_json::from_str(&format!(r#"{{"invoice":{invoice}}}"#)).unwrap();
            payment.paid_invoice().map(|invoice| (invoice.id.to_string(), invoice.subscription.to_string()))
        };
        let found = Some(("in_1".to_owned(), "sub_1".to_owned()));
        let parent = r#""parent":{"subscription_details":{"subscription":"sub_1"}}"#;
        assert_eq!(of(&format!(r#"{{"id":"in_1","created":5,{parent}}}"#)), found);
        assert_eq!(of(r#"{"id":"in_1","created":5,"subscription":"sub_1"}"#), found, "before 2025-03-31");
        assert_eq!(of(r#"{"id":"in_1","created":5,"parent":null}"#), None);
        assert_eq!(of(r#""in_1""#), None, "not expanded");
    }

    #[test]
    fn sessions_of_subscriptions_are_no_purchases() {
        let is_purchase = |mode: &str| {
            let session: WireListedSession =
                serde_json::from_str(&format!(r#"{{"id":"cs_1","mode":{mode}}}"#)).unwrap();
            session.purchase().is_some()
        };
        assert!(is_purchase(r#""payment""#) && is_purchase("null") && is_purchase(r#""new""#));
        assert!(!is_purchase(r#""subscription""#) && !is_purchase(r#""setup""#));
    }
}
