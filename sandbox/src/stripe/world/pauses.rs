//! What pauses and resumes. In: why a subscription stands still, and how it is to go on. Out: the subscription, its invoice, and the events about both.
//!
//! A paused subscription makes no invoices and gives no service
//! (<https://docs.stripe.com/billing/subscriptions/pause>,
//! <https://docs.stripe.com/billing/revenue-recovery/smart-retries/pause-on-payment-failure>).

use serde_json::Value;

use super::clock::period_end;
use super::pause::{PauseCause, PauseOnFailure, ResumeOn, forget_pause, mark_paused};
use super::payer::Payer;
use super::state::{World, id_of};
use crate::refusal::Refusal;
use crate::stripe::kinds::Kind;
use crate::stripe::objects::billing::{is_flexible, later};

/// How long a resumption waits for a first attempt at its invoice before that is void.
const RESUMPTION: i64 = 23 * 3600;

impl World {
    /// Pauses a running subscription.
    pub(crate) fn pause(&mut self, id: &str, cause: PauseCause) -> Result<(), Refusal> {
        let before = self.find(Kind::Subscription, id)?.clone();
        if !matches!(before["status"].as_str(), Some("active" | "trialing" | "past_due" | "unpaid")) {
            return Err(Refusal::conflict(format!("subscription {id} is {}", before["status"])));
        }
        if !is_flexible(&before) && cause != PauseCause::TrialEndWithoutPaymentMethod {
            return Err(Refusal::conflict(format!("subscription {id} is not flexible, so it cannot pause")));
        }
        let mut after = before.clone();
        mark_paused(&mut after, cause, self.now());
        self.put(Kind::Subscription, &after);
        self.tell_update(&before, &after);
        self.tell_pause(id)
    }

    /// `customer.subscription.paused` about a subscription that just was.
    pub(super) fn tell_pause(&mut self, id: &str) -> Result<(), Refusal> {
        let live = self.live(Kind::Subscription, id)?;
        let subscription = self.find(Kind::Subscription, id)?.clone();
        self.emit("customer.subscription.paused", &subscription, live, None);
        Ok(())
    }

    /// Whether a failure pauses this subscription.
    pub(super) fn pauses_on(&self, failure: PauseOnFailure, subscription: &Value) -> bool {
        self.settings.pause_on_failure == failure && is_flexible(subscription)
    }

    /// Bills a paused subscription for a period that begins now, and lets it go on as `on` says.
    pub(crate) fn resume(&mut self, id: &str, on: ResumeOn) -> Result<(), Refusal> {
        let paused = self.find(Kind::Subscription, id)?.clone();
        if paused["status"] != "paused" {
            return Err(Refusal::conflict(format!("subscription {id} is {}", paused["status"])));
        }
        let payer = match on {
            ResumeOn::Attempt => Payer::Pending,
            ResumeOn::Success => self.payer(&paused["customer"]),
        };
        let mut billed = paused.clone();
        begin_period(&mut billed, self.now());
        self.put(Kind::Subscription, &billed);
        let invoice = self.bill(id, "subscription_update", false, payer)?;
        // Until the resumption succeeds, the old period is what was paid for.
        if let Some(subscription) = self.collection_mut(Kind::Subscription).get_mut(id) {
            subscription["items"] = paused["items"].clone();
        }
        self.resumptions.insert(invoice, on);
        self.follow_paused(id)
    }

    /// A paused subscription after a change of its latest invoice.
    pub(super) fn follow_paused(&mut self, id: &str) -> Result<(), Refusal> {
        let before = self.find(Kind::Subscription, id)?.clone();
        let invoice =
            self.find(Kind::Invoice, before["latest_invoice"].as_str().unwrap_or_default())?.clone();
        let invoice_id = id_of(&invoice);
        let resumption = self.resumptions.get(&invoice_id).copied();
        let cause = before["status_details"]["paused"]["subscription"]["type"].as_str();
        let by_failure = matches!(cause, Some("first_payment_failure" | "final_payment_failure"));
        let settled = matches!(invoice["status"].as_str(), Some("paid" | "uncollectible"));
        let attempted = invoice["attempt_count"] != 0 && invoice["status"] == "open";
        let status = match resumption {
            _ if invoice["status"] == "void" => {
                self.resumptions.remove(&invoice_id);
                return Ok(());
            }
            Some(_) if settled => "active",
            None if settled && by_failure && self.settings.resume_when_paid => "active",
            Some(ResumeOn::Attempt) if attempted => "past_due",
            _ => return Ok(()),
        };
        self.resumptions.remove(&invoice_id);
        if status == "past_due"
            && let Some(invoice) = self.collection_mut(Kind::Invoice).get_mut(&invoice_id)
        {
            invoice["next_payment_attempt"] = Value::Null;
        }
        let now = self.now();
        let mut after = before.clone();
        after["status"] = status.into();
        forget_pause(&mut after);
        // What was paid before a short pause is still good; after a long one a new period begins.
        if resumption.is_some() || period_end(&after).is_some_and(|end| end <= now) {
            begin_period(&mut after, now);
            after["billing_cycle_anchor"] = now.into();
        }
        self.put(Kind::Subscription, &after);
        self.tell_update(&before, &after);
        let live = self.live(Kind::Subscription, id)?;
        self.emit("customer.subscription.resumed", &after, live, None);
        Ok(())
    }

    /// When an invoice of a resumption that nobody tries to pay becomes void.
    pub(super) fn resumption_lapses(&self, invoice: &Value) -> Option<i64> {
        let waits = self.resumptions.contains_key(&id_of(invoice)) && invoice["attempt_count"] == 0;
        invoice["created"].as_i64().filter(|_| waits).map(|at| at + RESUMPTION)
    }
}

fn begin_period(subscription: &mut Value, now: i64) {
    for item in subscription["items"]["data"].as_array_mut().into_iter().flatten() {
        item["current_period_start"] = now.into();
        item["current_period_end"] = later(now, &item["price"]["recurring"]).into();
    }
}
