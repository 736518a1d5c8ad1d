//! Checkout. In: a buyer on Stripe's page. Out: a session and what it leads to: customer, subscription, payment.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::invoices::InvoiceStep;
use super::payer::Payer;
use super::payments::Debt;
use super::state::{World, id_of};
use crate::refusal::Refusal;
use crate::stripe::kinds::Kind;
use crate::stripe::objects::checkout::{self as objects, Terms};
use crate::stripe::objects::{self as shapes, payment};

/// What a test says about a new session.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NewSession {
    pub(crate) payment_link: Option<String>,
    /// Derived from the prices unless it is `setup`.
    pub(crate) mode: Option<String>,
    pub(crate) prices: Vec<String>,
    pub(crate) customer: Option<String>,
    pub(crate) customer_creation: Option<String>,
    pub(crate) client_reference_id: Option<String>,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) success_url: Option<String>,
    pub(crate) livemode: bool,
}

/// What the buyer types and how the bank answers.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Purchase {
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
    /// Metadata of the subscription that arises.
    pub(crate) subscription_metadata: Map<String, Value>,
    /// `pays` unless said; `pending` is settled later.
    pub(crate) payment: Payer,
}

/// An API-made session may have any reference; a link takes it from its URL and drops what is malformed.
const LONGEST_REFERENCE: usize = 200;

impl World {
    pub(crate) fn open_session(&mut self, params: &NewSession) -> Result<String, Refusal> {
        let link =
            params.payment_link.as_ref().map(|id| self.find(Kind::PaymentLink, id).cloned()).transpose()?;
        if link.as_ref().is_some_and(|link| link["active"] != true) {
            return Err(Refusal::conflict("this payment link is not active"));
        }
        let link = link.unwrap_or_default();
        let lines = match &params.payment_link {
            Some(link) => self.lines.get(link).cloned().unwrap_or_default(),
            None => self.lines_for(&self.priced(&params.prices)?),
        };
        let live = match (&params.payment_link, params.prices.first()) {
            (Some(link), _) => self.live(Kind::PaymentLink, link)?,
            (None, Some(price)) => self.live(Kind::Price, price)?,
            (None, None) => params.livemode,
        };
        let recurring = lines.iter().any(|line| line["price"]["type"] == "recurring");
        let mode = match params.mode.as_deref() {
            Some("setup") => "setup",
            _ if lines.is_empty() => return Err(Refusal::malformed("what is sold: payment_link or prices?")),
            _ if recurring => "subscription",
            _ => "payment",
        };
        if let Some(customer) = &params.customer {
            self.live(Kind::Customer, customer)?;
        }
        let creation = params.customer_creation.as_deref().or(link["customer_creation"].as_str());
        let reference = params.client_reference_id.as_deref();
        let reference = reference.filter(|text| link.is_null() || is_reference(text));
        let redirect = &link["after_completion"]["redirect"]["url"];
        let terms = Terms {
            mode,
            lines: &lines,
            link: &link["id"],
            customer: &json!(params.customer),
            customer_creation: if recurring { "always" } else { creation.unwrap_or("if_required") },
            reference: &json!(reference),
            metadata: if params.metadata.is_empty() {
                link["metadata"].as_object().unwrap_or(&params.metadata)
            } else {
                &params.metadata
            },
            success_url: &params.success_url.as_ref().map_or_else(|| redirect.clone(), |url| json!(url)),
        };
        let session = objects::session(self.birth(live), &terms);
        let id = id_of(&session);
        self.lines.insert(id.clone(), lines);
        // Stripe has no event for a session that is merely open.
        self.collection_mut(Kind::CheckoutSession).add(session, live);
        Ok(id)
    }

    /// The buyer clicks "Pay". Answers what arose, and where the browser is sent.
    pub(crate) fn complete_session(&mut self, id: &str, purchase: &Purchase) -> Result<Value, Refusal> {
        let live = self.live(Kind::CheckoutSession, id)?;
        let mut session = self.find(Kind::CheckoutSession, id)?.clone();
        if session["status"] != "open" {
            return Err(Refusal::conflict(format!("session {id} is {}", session["status"])));
        }
        let (mut email, name) = (json!(purchase.email), json!(purchase.name));
        if session["customer"].is_null() && session["customer_creation"] == "always" {
            let customer = self.birth(live);
            let customer =
                shapes::customer(customer, purchase.email.as_deref(), purchase.name.as_deref(), &Map::new());
            session["customer"] = self.add(Kind::Customer, &customer, live, "customer.created").into();
        } else if let Some(customer) = session["customer"].as_str() {
            let known = &self.find(Kind::Customer, customer)?["email"];
            email = if email.is_null() { known.clone() } else { email };
        }
        let pays = match purchase.payment {
            // Without the bank's consent the page stays open, and nothing has happened.
            Payer::Declines | Payer::NeedsAction | Payer::NoMethod => {
                return Err(Refusal::conflict("the page shows an error and stays open"));
            }
            Payer::Pays | Payer::Pending => purchase.payment,
        };
        match session["mode"].as_str() {
            Some("subscription") => {
                self.sell_subscription(&mut session, &purchase.subscription_metadata, pays)?;
            }
            Some("payment") => {
                let debt = Debt {
                    customer: &session["customer"],
                    email: &email,
                    amount: session["amount_total"].as_i64().unwrap_or_default(),
                    currency: &session["currency"],
                };
                session["payment_intent"] = self.collect(live, &debt, pays).into();
            }
            _ => {
                let card = self.add_card(live, &session["customer"], &email);
                let intent = payment::setup_intent(self.birth(live), &session["customer"], &card);
                session["setup_intent"] =
                    self.add(Kind::SetupIntent, &intent, live, "setup_intent.succeeded").into();
            }
        }
        session["customer_details"] = objects::details(&email, &name);
        session["status"] = "complete".into();
        session["url"] = Value::Null;
        if session["mode"] != "setup" && session["payment_status"] == "unpaid" && pays == Payer::Pays {
            session["payment_status"] = "paid".into();
        }
        self.put(Kind::CheckoutSession, &session);
        self.emit("checkout.session.completed", &session, live, None);
        let redirect = session["success_url"].as_str().map(|url| url.replace("{CHECKOUT_SESSION_ID}", id));
        Ok(json!({
            "id": id, "customer": session["customer"], "subscription": session["subscription"],
            "invoice": session["invoice"], "payment_intent": session["payment_intent"], "redirect": redirect,
        }))
    }

    fn sell_subscription(
        &mut self,
        session: &mut Value,
        metadata: &Map<String, Value>,
        pays: Payer,
    ) -> Result<(), Refusal> {
        let sold = self.lines.get(&id_of(session)).cloned().unwrap_or_default();
        let sold = sold.iter().map(|line| line["price"].clone());
        let (prices, once): (Vec<Value>, Vec<Value>) = sold.partition(|price| price["type"] == "recurring");
        let link = session["payment_link"].as_str().and_then(|id| self.collection(Kind::PaymentLink).get(id));
        let trial = link.and_then(|link| link["subscription_data"]["trial_period_days"].as_i64());
        let customer = session["customer"].as_str().unwrap_or_default().to_owned();
        // A new card: what an old one did no longer matters.
        self.set_payer(&customer, Payer::Pays)?;
        let subscription = self.start_subscription(&customer, (&prices, &once), metadata, trial, pays)?;
        session["subscription"] = subscription.clone().into();
        session["invoice"] = self.find(Kind::Subscription, &subscription)?["latest_invoice"].clone();
        // What is sold once beside a trial is paid at once.
        if trial.is_some() && once.is_empty() {
            session["payment_status"] = "no_payment_required".into();
        }
        Ok(())
    }

    /// The bank answers at last about a payment that was pending when the buyer left.
    pub(crate) fn settle_session(&mut self, id: &str, paid: bool) -> Result<(), Refusal> {
        let live = self.live(Kind::CheckoutSession, id)?;
        let mut session = self.find(Kind::CheckoutSession, id)?.clone();
        if session["status"] != "complete" || session["payment_status"] != "unpaid" {
            return Err(Refusal::conflict(format!("session {id} does not wait for a bank")));
        }
        if let Some(intent) = session["payment_intent"].as_str() {
            self.settle(intent, paid);
        }
        if paid {
            session["payment_status"] = "paid".into();
            self.put(Kind::CheckoutSession, &session);
        }
        if let Some(invoice) = session["invoice"].as_str() {
            self.step_invoice(invoice, if paid { InvoiceStep::Pay } else { InvoiceStep::Fail })?;
        }
        let event = if paid { "async_payment_succeeded" } else { "async_payment_failed" };
        self.emit(&format!("checkout.session.{event}"), &session, live, None);
        Ok(())
    }

    /// Nobody bought in time, or the owner closed the page.
    pub(crate) fn expire_session(&mut self, id: &str) -> Result<(), Refusal> {
        let live = self.live(Kind::CheckoutSession, id)?;
        let mut session = self.find(Kind::CheckoutSession, id)?.clone();
        if session["status"] != "open" {
            return Err(Refusal::conflict(format!("session {id} is {}", session["status"])));
        }
        session["status"] = "expired".into();
        session["url"] = Value::Null;
        self.put(Kind::CheckoutSession, &session);
        self.emit("checkout.session.expired", &session, live, None);
        Ok(())
    }
}

/// What Stripe accepts as `client_reference_id` in a link's URL; anything else it drops without a word.
fn is_reference(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=LONGEST_REFERENCE).contains(&text.len()) && text.bytes().all(allowed)
}
