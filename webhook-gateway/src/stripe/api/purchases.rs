//! Reading what was bought once, and what goes back of payments. In: a key and an id. Out: facts, or why not.
//!
//! async-stripe has builders for these in crates of their own, which would cost more build time than they save.

use serde::{Serialize, de::DeserializeOwned};
use shared::clock::Timestamp;
use shared::domain::{
    billing::{
        payment::PaymentFact,
        purchase::{PurchaseFact, PurchaseStatus},
        reversal::{Dispute, Reversal},
    },
    claim::CheckoutFact,
    reference::Carried,
    stripe_object::{Object, ObjectKind},
};
use shared::ids::{CheckoutSessionId, InvoiceId};
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
        proof::WireProof,
    },
};

/// What a checkout session is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checkout {
    /// The subscription that it began.
    Subscription(String),
    /// The same, and what was sold once beside it; when its invoice was paid, and what went back of that, is not read yet.
    Beside(String, Box<PurchaseFact>),
    Purchase(Box<PurchaseFact>),
    /// Nothing was bought.
    Nothing,
}

/// A completed checkout session of a list, in which something was sold once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Session {
    /// What was, only its own read tells.
    ToRead(String),
    /// Beside a subscription; what became of its payment the list does not show.
    Beside(Box<PurchaseFact>),
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
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription: Option<&'a str>,
    status: &'static str,
    expand: [&'static str; 1],
}

#[derive(Serialize)]
struct OfInvoice<'a> {
    invoice: &'a str,
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
    /// A checkout session: of a one-time purchase, with its customer, its lines, and what went back of its payment. And the reference that
    /// it carries, if that looks like ours.
    pub async fn checkout(&self, key: &ApiKey, id: &str) -> Result<(Checkout, Option<Carried>), ReadError> {
        let expand = Expanding { expand: &["line_items", "customer", "subscription"] };
        let path = format!("/checkout/sessions/{}", segment(id)?);
        let request = RequestBuilder::new(StripeMethod::Get, &path).query(&expand);
        let mut wire: WireCheckout = self.get(key, &request).await?;
        is_about(wire.id(), id)?;
        if wire.about() == About::Nothing {
            return Ok((Checkout::Nothing, None));
        }
        let carried = wire.carried();
        if wire.has_more_lines() {
            let id = |line: &WireItem| line.id().map(ToOwned::to_owned);
            wire.set_lines(self.pages(key, &format!("{path}/line_items"), &NoFilter {}, id).await?);
        }
        if let About::Subscription(subscription) = wire.about() {
            let subscription = subscription.to_owned();
            let checkout = if wire.sells_once() {
                let fact = wire.purchase(None, Reversal::NONE).map_err(unreadable)?;
                Checkout::Beside(subscription, Box::new(fact))
            } else {
                Checkout::Subscription(subscription)
            };
            return Ok((checkout, carried));
        }
        let (paid_at, reversal) = match wire.payment_intent() {
            Some(intent) if wire.status() == PurchaseStatus::Paid => {
                let (payment, reversal) = self.reversal(key, intent).await?;
                (payment.paid_at(), reversal)
            }
            _ => (None, Reversal::NONE),
        };
        let fact = wire.purchase(paid_at, reversal).map_err(unreadable)?;
        Ok((Checkout::Purchase(Box::new(fact)), carried))
    }

    /// A checkout session, as a proof of who paid: one read.
    pub async fn proof(&self, key: &ApiKey, id: &CheckoutSessionId) -> Result<CheckoutFact, ReadError> {
        let path = format!("/checkout/sessions/{}", segment(id.as_str())?);
        let wire: WireProof = self.get(key, &RequestBuilder::new(StripeMethod::Get, path)).await?;
        is_about(wire.id(), id.as_str())?;
        wire.fact().map_err(unreadable)
    }

    /// When an invoice was paid, and what went back of that. One that cost nothing has no payment.
    pub async fn paid_by(
        &self,
        key: &ApiKey,
        invoice: &InvoiceId,
    ) -> Result<(Option<Timestamp>, Reversal), ReadError> {
        let of_invoice = OfInvoice { invoice: invoice.as_str() };
        let request = RequestBuilder::new(StripeMethod::Get, "/invoice_payments").query(&of_invoice);
        // One payment pays an invoice, or a few: never pages of them.
        let payments: WirePage<WireInvoicePayment> = self.get(key, &request).await?;
        let (mut paid_at, mut reversals) = (None, Vec::new());
        for intent in payments.data.iter().filter_map(WireInvoicePayment::paying_intent) {
            let (payment, reversal) = self.reversal(key, intent).await?;
            paid_at = paid_at.max(payment.paid_at());
            reversals.push(reversal);
        }
        Ok((paid_at, Reversal::of_parts(reversals)))
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

    /// The completed sessions in which a customer, or anybody, bought something once; the latest of very many. A key that may not read them
    /// was made for subscriptions, and finds none.
    pub async fn purchases(&self, key: &ApiKey, customer: Option<&str>) -> Result<Vec<Session>, ReadError> {
        self.completed(key, customer, None).await
    }

    /// The same of those that began a subscription: there is one, if it was begun by Checkout.
    pub async fn purchases_beside(
        &self,
        key: &ApiKey,
        subscription: &str,
    ) -> Result<Vec<Session>, ReadError> {
        self.completed(key, None, Some(subscription)).await
    }

    async fn completed(
        &self,
        key: &ApiKey,
        customer: Option<&str>,
        subscription: Option<&str>,
    ) -> Result<Vec<Session>, ReadError> {
        let expand = ["data.line_items"];
        let completed = Completed { customer, subscription, status: "complete", expand };
        let id = |session: &WireCheckout| Some(session.id().to_owned());
        match self.pages(key, "/checkout/sessions", &completed, id).await {
            Ok(sessions) => Ok(sessions.iter().filter_map(sold_once).collect()),
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

/// What a listed session sold once.
fn sold_once(session: &WireCheckout) -> Option<Session> {
    let to_read = || Session::ToRead(session.id().to_owned());
    match session.about() {
        About::Purchase => Some(to_read()),
        About::Subscription(_) if session.has_more_lines() => Some(to_read()),
        About::Subscription(_) if session.sells_once() => {
            let fact = session.purchase(None, Reversal::NONE);
            Some(fact.map_or_else(|_| to_read(), |fact| Session::Beside(Box::new(fact))))
        }
        About::Subscription(_) => None,
        // Of a mode that this release does not know.
        About::Nothing => (!session.is_no_purchase()).then(to_read),
    }
}

fn unreadable(error: Unusable) -> ReadError {
    ReadError::Unreadable(error.to_string())
}
