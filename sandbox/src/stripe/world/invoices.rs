//! Invoices. In: a subscription that is due, and whether its customer pays. Out: invoices and the events about them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::payer::Payer;
use super::payments::Debt;
use super::state::{World, id_of};
use crate::refusal::Refusal;
use crate::stripe::kinds::Kind;
use crate::stripe::objects::billing::{self as objects, Bill};

/// When a failed payment is tried again.
pub(super) const RETRY_AFTER: i64 = 3 * 24 * 3600;

/// What happens to an open invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InvoiceStep {
    /// Paid: by another card, by bank transfer, by a retry.
    Pay,
    /// Another attempt that the bank declined.
    Fail,
    /// The owner waives it.
    Void,
    /// The owner gives up.
    MarkUncollectible,
}

impl World {
    /// Bills a subscription for the period its items are in; answers the invoice's id.
    pub(super) fn bill(
        &mut self,
        subscription: &str,
        reason: &str,
        free: bool,
        payer: Payer,
    ) -> Result<String, Refusal> {
        self.bill_with(subscription, &[], reason, free, payer)
    }

    /// The same with one-time prices that were bought beside it.
    pub(super) fn bill_with(
        &mut self,
        subscription: &str,
        once: &[Value],
        reason: &str,
        free: bool,
        payer: Payer,
    ) -> Result<String, Refusal> {
        let live = self.live(Kind::Subscription, subscription)?;
        let subscription = self.find(Kind::Subscription, subscription)?.clone();
        let customer = subscription["customer"].as_str().unwrap_or_default();
        let customer = self.find(Kind::Customer, customer)?.clone();
        let bill = Bill { customer: &customer, subscription: &subscription, reason, free, once };
        let invoice = objects::invoice(self.birth(live), &bill);
        let id = self.add(Kind::Invoice, &invoice, live, "invoice.created");
        self.emit("invoice.finalized", &invoice, live, None);
        if let Some(subscription) = self.collection_mut(Kind::Subscription).get_mut(&id_of(&subscription)) {
            subscription["latest_invoice"] = invoice["id"].clone();
        }
        let amount = invoice["amount_due"].as_i64().unwrap_or_default();
        if amount == 0 {
            self.paid(&id);
            return Ok(id);
        }
        let debt = Debt {
            customer: &customer["id"],
            email: &customer["email"],
            amount,
            currency: &invoice["currency"],
        };
        let intent = self.collect(live, &debt, payer);
        let payment = objects::invoice_payment(self.birth(live), &invoice, &intent);
        self.collection_mut(Kind::InvoicePayment).add(payment, live);
        match payer {
            Payer::Pays => self.paid(&id),
            Payer::Declines | Payer::NoMethod => self.unpaid(&id),
            Payer::NeedsAction => {
                let invoice = self.find(Kind::Invoice, &id)?.clone();
                self.emit("invoice.payment_action_required", &invoice, live, None);
                self.unpaid(&id);
            }
            Payer::Pending => {}
        }
        Ok(id)
    }

    /// Tells of the invoice that a renewal will bring; until then it has no id.
    pub(super) fn announce_invoice(&mut self, subscription: &str) -> Result<(), Refusal> {
        let live = self.live(Kind::Subscription, subscription)?;
        let subscription = self.find(Kind::Subscription, subscription)?;
        let customer = self.find(Kind::Customer, subscription["customer"].as_str().unwrap_or_default())?;
        let bill = Bill { customer, subscription, reason: "upcoming", free: false, once: &[] };
        let mut invoice = objects::invoice(self.birth(live), &bill);
        if let Some(fields) = invoice.as_object_mut() {
            fields.retain(|field, _| !matches!(field.as_str(), "id" | "hosted_invoice_url" | "invoice_pdf"));
        }
        invoice["number"] = Value::Null;
        invoice["status"] = "draft".into();
        self.emit("invoice.upcoming", &invoice, live, None);
        Ok(())
    }

    /// Bills a running subscription out of turn.
    pub(crate) fn bill_now(&mut self, subscription: &str) -> Result<String, Refusal> {
        let customer = self.find(Kind::Subscription, subscription)?["customer"].clone();
        let payer = self.payer(&customer);
        let invoice = self.bill(subscription, "subscription_update", false, payer)?;
        self.follow_invoice(subscription)?;
        Ok(invoice)
    }

    /// Moves an open invoice on; its subscription follows if it is the latest.
    pub(crate) fn step_invoice(&mut self, id: &str, step: InvoiceStep) -> Result<(), Refusal> {
        let live = self.live(Kind::Invoice, id)?;
        let now = self.now();
        let invoice = self.find(Kind::Invoice, id)?.clone();
        if invoice["status"] != "open" && invoice["status"] != "uncollectible" {
            return Err(Refusal::conflict(format!("invoice {id} is {}", invoice["status"])));
        }
        match step {
            InvoiceStep::Pay | InvoiceStep::Fail => {
                let paid = step == InvoiceStep::Pay;
                if let Some(intent) = self.intent_of(id) {
                    self.settle(&intent, paid);
                }
                if paid { self.paid(id) } else { self.unpaid(id) }
            }
            InvoiceStep::Void | InvoiceStep::MarkUncollectible => {
                let (status, event) = match step {
                    InvoiceStep::Void => ("void", "voided"),
                    _ => ("uncollectible", "marked_uncollectible"),
                };
                let mut invoice = invoice.clone();
                invoice["status"] = status.into();
                invoice["next_payment_attempt"] = Value::Null;
                invoice["status_transitions"][format!("{event}_at")] = now.into();
                self.put(Kind::Invoice, &invoice);
                self.emit(&format!("invoice.{event}"), &invoice, live, None);
            }
        }
        let subscription = &invoice["parent"]["subscription_details"]["subscription"];
        match subscription.as_str() {
            Some(subscription) => self.follow_invoice(subscription),
            None => Ok(()),
        }
    }

    /// The subscription's status after its latest invoice: paid is active, unpaid falls behind.
    fn follow_invoice(&mut self, subscription: &str) -> Result<(), Refusal> {
        let object = self.find(Kind::Subscription, subscription)?;
        if object["status"] == "paused" {
            return self.follow_paused(subscription);
        }
        let latest = object["latest_invoice"].as_str().unwrap_or_default();
        let invoice = self.find(Kind::Invoice, latest)?;
        let failed = invoice["attempt_count"] != 0 && invoice["status"] == "open";
        let settled = matches!(invoice["status"].as_str(), Some("paid" | "void"));
        let status = match object["status"].as_str() {
            Some("past_due" | "unpaid" | "incomplete") if settled => "active",
            Some("active") if failed => "past_due",
            _ => return Ok(()),
        };
        self.set_subscription(subscription, json!({ "status": status }))
    }

    fn intent_of(&self, invoice: &str) -> Option<String> {
        let theirs = |payment: &&Value| payment["invoice"] == invoice;
        let payment = self.collection(Kind::InvoicePayment).oldest_first().find(theirs)?;
        payment["payment"]["payment_intent"].as_str().map(ToOwned::to_owned)
    }

    pub(super) fn paid(&mut self, id: &str) {
        let (now, live) = (self.now(), self.collection(Kind::Invoice).is_live(id));
        let Some(invoice) = self.collection_mut(Kind::Invoice).get_mut(id) else { return };
        let due = invoice["amount_due"].clone();
        invoice["amount_paid"] = due.clone();
        invoice["amount_remaining"] = 0.into();
        invoice["attempted"] = true.into();
        if due != 0 {
            invoice["attempt_count"] = (invoice["attempt_count"].as_i64().unwrap_or_default() + 1).into();
        }
        invoice["auto_advance"] = false.into();
        invoice["next_payment_attempt"] = Value::Null;
        invoice["status"] = "paid".into();
        invoice["status_transitions"]["paid_at"] = now.into();
        let invoice = invoice.clone();
        let theirs = |payment: &&mut Value| payment["invoice"] == id;
        let payment = self.collection_mut(Kind::InvoicePayment).all_mut().find(theirs).map(|payment| {
            payment["amount_paid"] = due;
            payment["status"] = "paid".into();
            payment["status_transitions"]["paid_at"] = now.into();
            payment.clone()
        });
        self.emit("invoice.paid", &invoice, live, None);
        self.emit("invoice.payment_succeeded", &invoice, live, None);
        if let Some(payment) = payment {
            self.emit("invoice_payment.paid", &payment, live, None);
        }
    }

    fn unpaid(&mut self, id: &str) {
        let (now, live) = (self.now(), self.collection(Kind::Invoice).is_live(id));
        let Some(invoice) = self.collection_mut(Kind::Invoice).get_mut(id) else { return };
        invoice["attempt_count"] = (invoice["attempt_count"].as_i64().unwrap_or_default() + 1).into();
        invoice["attempted"] = true.into();
        invoice["next_payment_attempt"] = (now + RETRY_AFTER).into();
        let invoice = invoice.clone();
        self.emit("invoice.payment_failed", &invoice, live, None);
    }
}
