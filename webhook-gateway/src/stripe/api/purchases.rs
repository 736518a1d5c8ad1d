//! Reading what was bought once, and what goes back of payments. In: a key and an id. Out: facts, or why not.
//!
//! async-stripe has builders for these in crates of their own, which would cost more build time than they save.

use serde::{Serialize, de::DeserializeOwned};
use shared::domain::{
    billing::{
        payment::PaymentFact,
        purchase::{PurchaseFact, PurchaseStatus},
        reversal::{Dispute, Reversal},
    },
    stripe_object::{Object, ObjectKind},
};
use stripe_client_core::{RequestBuilder, StripeMethod};

use super::{MAX_PAGES, PAGE, ReadClient, ReadError, goes_on, is_about, segment};
use crate::stripe::{
    budget::ApiKey,
    read::{
        Unusable,
        catalogue::WirePage,
        checkout::{About, WireCheckout},
        items::WireItem,
        payment::{WireDispute, WireInvoicePayment, WireListedSession, WireOfPayment, WirePaymentIntent},
    },
};

/// What a checkout session is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checkout {
    /// The subscription that it began.
    Subscription(String),
    Purchase(Box<PurchaseFact>),
    /// Nothing was bought.
    Nothing,
}

#[derive(Serialize)]
struct Expanding<'a> {
    expand: &'a [&'a str],
}

/// A list's own filters, and how it is turned.
#[derive(Serialize)]
struct Page<'a, F> {
    #[serde(flatten)]
    filter: &'a F,
    limit: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    starting_after: Option<String>,
}

#[derive(Serialize)]
struct OfIntent<'a> {
    payment_intent: &'a str,
}

#[derive(Serialize)]
struct Completed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a str>,
    status: &'static str,
}

#[derive(Serialize)]
struct PaidWith<'a> {
    payment: PaymentFilter<'a>,
    expand: [&'static str; 1],
}

#[derive(Serialize)]
struct PaymentFilter<'a> {
    r#type: &'static str,
    payment_intent: &'a str,
}

#[derive(Serialize)]
struct NoFilter {}

impl ReadClient {
    /// A checkout session: of a one-time purchase, with its customer, its lines, and what went back of its payment.
    pub async fn checkout(&self, key: &ApiKey, id: &str) -> Result<Checkout, ReadError> {
        let expand = Expanding { expand: &["line_items", "customer"] };
        let path = format!("/checkout/sessions/{}", segment(id)?);
        let request = RequestBuilder::new(StripeMethod::Get, &path).query(&expand);
        let mut wire: WireCheckout = self.get(key, &request).await?;
        is_about(wire.id(), id)?;
        match wire.about() {
            About::Subscription(id) => return Ok(Checkout::Subscription(id.to_owned())),
            About::Nothing => return Ok(Checkout::Nothing),
            About::Purchase => {}
        }
        if wire.has_more_lines() {
            let id = |line: &WireItem| line.id().map(ToOwned::to_owned);
            wire.set_lines(self.pages(key, &format!("{path}/line_items"), &NoFilter {}, id).await?);
        }
        let (paid_at, reversal) = match wire.payment_intent() {
            Some(intent) if wire.status() == PurchaseStatus::Paid => {
                let (payment, reversal) = self.reversal(key, intent).await?;
                (payment.paid_at(), reversal)
            }
            _ => (None, Reversal::NONE),
        };
        let fact = wire.purchase(paid_at, reversal).map_err(unreadable)?;
        Ok(Checkout::Purchase(Box::new(fact)))
    }

    /// A payment, what went back of it, and what it paid for.
    pub async fn payment(&self, key: &ApiKey, id: &str) -> Result<PaymentFact, ReadError> {
        let (payment, reversal) = self.reversal(key, id).await?;
        let of_intent = OfIntent { payment_intent: id };
        let session = |session: &WireListedSession| Some(session.id().clone());
        let sessions = self.pages(key, "/checkout/sessions", &of_intent, session).await?;
        let filter = PaymentFilter { r#type: "payment_intent", payment_intent: id };
        let paid_with = PaidWith { payment: filter, expand: ["data.invoice"] };
        // One payment pays an invoice, or a few: never pages of them.
        let request = RequestBuilder::new(StripeMethod::Get, "/invoice_payments").query(&paid_with);
        let invoices: WirePage<WireInvoicePayment> = self.get(key, &request).await?;
        Ok(PaymentFact {
            id: id.parse().map_err(|_| ReadError::Unreadable("no id of a payment intent".to_owned()))?,
            reversal,
            is_managed: payment.is_managed(),
            sessions: sessions.iter().filter_map(WireListedSession::purchase).collect(),
            invoices: invoices.data.iter().filter_map(WireInvoicePayment::paid_invoice).collect(),
        })
    }

    /// What a charge, a refund or a dispute is about; `None`: nobody whom we know paid.
    pub async fn of_payment(&self, key: &ApiKey, object: &Object) -> Result<Option<Object>, ReadError> {
        let list = match object.kind {
            ObjectKind::Charge => "charges",
            ObjectKind::Refund => "refunds",
            ObjectKind::Dispute => "disputes",
            other => {
                return Err(ReadError::Unreadable(format!("a {} is no part of a payment", other.as_str())));
            }
        };
        let request = RequestBuilder::new(StripeMethod::Get, format!("/{list}/{}", segment(&object.id)?));
        let wire: WireOfPayment = self.get(key, &request).await?;
        Ok(wire.leads_to())
    }

    /// The ids of the sessions in which a customer, or anybody, bought something once; the latest of very many. A key that may not
    /// read them was made for subscriptions, and finds none.
    pub async fn purchases(&self, key: &ApiKey, customer: Option<&str>) -> Result<Vec<String>, ReadError> {
        let completed = Completed { customer, status: "complete" };
        let session = |session: &WireListedSession| Some(session.id().clone());
        match self.pages(key, "/checkout/sessions", &completed, session).await {
            Ok(sessions) => {
                Ok(sessions.iter().filter_map(|session| Some(session.purchase()?.to_string())).collect())
            }
            Err(ReadError::Refused(403)) => {
                tracing::warn!("the key lacks Read on Checkout Sessions: one-time purchases are not known");
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    async fn reversal(&self, key: &ApiKey, intent: &str) -> Result<(WirePaymentIntent, Reversal), ReadError> {
        let expand = Expanding { expand: &["latest_charge"] };
        let path = format!("/payment_intents/{}", segment(intent)?);
        let payment: WirePaymentIntent =
            self.get(key, &RequestBuilder::new(StripeMethod::Get, path).query(&expand)).await?;
        is_about(payment.id(), intent)?;
        let dispute = if payment.was_never_disputed() {
            Dispute::None
        } else {
            let request = RequestBuilder::new(StripeMethod::Get, "/disputes");
            let disputes: WirePage<WireDispute> =
                self.get(key, &request.query(&OfIntent { payment_intent: intent })).await?;
            WireDispute::worst(&disputes.data)
        };
        let reversal = Reversal { refund: payment.refund(), dispute };
        Ok((payment, reversal))
    }

    /// A list to its end. A page that is not the last of very many is the last we read.
    async fn pages<T: DeserializeOwned, F: Serialize>(
        &self,
        key: &ApiKey,
        path: &str,
        filter: &F,
        id: impl Fn(&T) -> Option<String>,
    ) -> Result<Vec<T>, ReadError> {
        let mut listed: Vec<T> = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let page = Page { filter, limit: PAGE, starting_after: after.clone() };
            let request = RequestBuilder::new(StripeMethod::Get, path).query(&page);
            let page: WirePage<T> = self.get(key, &request).await?;
            let last = page.data.last().and_then(&id);
            after = goes_on(page.has_more, last.as_deref(), after.as_deref())?;
            listed.extend(page.data);
            if after.is_none() {
                return Ok(listed);
            }
        }
        tracing::warn!(path, read = listed.len(), "Stripe lists more than we read");
        Ok(listed)
    }
}

fn unreadable(error: Unusable) -> ReadError {
    ReadError::Unreadable(error.to_string())
}
