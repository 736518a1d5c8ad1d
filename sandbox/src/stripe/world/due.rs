//! What falls due. In: where a test moves the clock. Out: the changes that time brings.

use serde::Deserialize;
use serde_json::{Value, json};

use super::clock::{Clock, Dunning, period_end};
use super::invoices::InvoiceStep;
use super::pause::{PauseCause, PauseOnFailure, mark_paused};
use super::payer::Payer;
use super::state::{World, id_of};
use crate::clock;
use crate::refusal::Refusal;
use crate::stripe::kinds::Kind;
use crate::stripe::objects::billing::later;

const DAY: i64 = 24 * 3600;
/// How long before its end a trial is announced.
const TRIAL_NOTICE: i64 = 3 * DAY;
/// How long a first payment may take.
const FIRST_PAYMENT: i64 = 23 * 3600;
/// After so many failed attempts dunning ends.
const ATTEMPTS: i64 = 4;

/// Where a test moves the clock.
#[derive(Deserialize)]
pub(crate) struct Move {
    /// To this second.
    now: Option<i64>,
    /// By so many seconds.
    advance_seconds: Option<i64>,
    /// Whether it stands still from then on.
    stopped: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    TrialWillEnd,
    InvoiceUpcoming,
    Cancels,
    TrialEnds,
    PeriodEnds,
    CollectionResumes,
    FirstPaymentLate,
    PaymentRetried,
    ResumptionLapses,
    SessionExpires,
}

impl World {
    pub(crate) fn now(&self) -> i64 {
        self.clock.stopped_at.unwrap_or_else(|| clock::unix() + self.clock.ahead)
    }

    /// Moves the clock and lets happen, one after the other, what falls due on the way. Going back undoes nothing.
    pub(crate) fn move_clock(&mut self, params: &Move) -> Result<i64, Refusal> {
        let was_stopped = self.clock.stopped_at.is_some();
        let mut at = self.now();
        let target = params.now.unwrap_or(at) + params.advance_seconds.unwrap_or_default();
        while let Some((next, due)) = self.next_due(at, target) {
            self.clock.stopped_at = Some(next);
            for (due, id) in due {
                self.happen(due, &id)?;
            }
            at = next;
        }
        let stopped = params.stopped.unwrap_or(was_stopped);
        self.clock = Clock { ahead: target - clock::unix(), stopped_at: stopped.then_some(target) };
        Ok(self.now())
    }

    /// The earliest second after `from` and up to `until` at which something is due, and all that is due then.
    fn next_due(&self, from: i64, until: i64) -> Option<(i64, Vec<(Due, String)>)> {
        let mut due: Vec<(i64, Due, String)> = Vec::new();
        let mut note = |at: Option<i64>, what: Due, object: &Value| {
            if let Some(at) = at.filter(|at| (from + 1..=until).contains(at)) {
                due.push((at, what, id_of(object)));
            }
        };
        for sub in self.collection(Kind::Subscription).oldest_first() {
            let status = sub["status"].as_str().unwrap_or_default();
            let trial_end = sub["trial_end"].as_i64().filter(|_| status == "trialing");
            note(trial_end.map(|at| at - TRIAL_NOTICE), Due::TrialWillEnd, sub);
            note(trial_end, Due::TrialEnds, sub);
            if !matches!(status, "canceled" | "incomplete_expired") {
                note(sub["cancel_at"].as_i64(), Due::Cancels, sub);
                note(sub["pause_collection"]["resumes_at"].as_i64(), Due::CollectionResumes, sub);
            }
            if matches!(status, "active" | "past_due") {
                note(period_end(sub), Due::PeriodEnds, sub);
                let goes_on = sub["cancel_at_period_end"] != true && sub["cancel_at"].is_null();
                let notice = self.settings.upcoming_days.filter(|_| goes_on);
                let at = period_end(sub).zip(notice).map(|(end, days)| end - days * DAY);
                note(at, Due::InvoiceUpcoming, sub);
            }
            let late = sub["created"].as_i64().filter(|_| status == "incomplete");
            note(late.map(|at| at + FIRST_PAYMENT), Due::FirstPaymentLate, sub);
        }
        for invoice in
            self.collection(Kind::Invoice).oldest_first().filter(|invoice| invoice["status"] == "open")
        {
            note(invoice["next_payment_attempt"].as_i64(), Due::PaymentRetried, invoice);
            note(self.resumption_lapses(invoice), Due::ResumptionLapses, invoice);
        }
        for session in self
            .collection(Kind::CheckoutSession)
            .oldest_first()
            .filter(|session| session["status"] == "open")
        {
            note(session["expires_at"].as_i64(), Due::SessionExpires, session);
        }
        let first = due.iter().map(|(at, ..)| *at).min()?;
        let mut now: Vec<_> =
            due.into_iter().filter(|(at, ..)| *at == first).map(|(_, what, id)| (what, id)).collect();
        now.sort();
        Some((first, now))
    }

    fn happen(&mut self, due: Due, id: &str) -> Result<(), Refusal> {
        match due {
            Due::TrialWillEnd => {
                let (sub, live) =
                    (self.find(Kind::Subscription, id)?.clone(), self.live(Kind::Subscription, id)?);
                self.emit("customer.subscription.trial_will_end", &sub, live, None);
                Ok(())
            }
            Due::InvoiceUpcoming => self.announce_invoice(id),
            Due::TrialEnds => self.end_trial(id),
            Due::Cancels => self.set_subscription(id, json!({ "status": "canceled" })),
            Due::PeriodEnds => self.end_period(id),
            Due::CollectionResumes => self.set_subscription(id, json!({ "pause_collection": null })),
            Due::FirstPaymentLate => self.set_subscription(id, json!({ "status": "incomplete_expired" })),
            Due::PaymentRetried => self.retry(id),
            Due::ResumptionLapses => self.step_invoice(id, InvoiceStep::Void),
            Due::SessionExpires => self.expire_session(id),
        }
    }

    /// A trial that nobody pays for ends as the subscription says; every other one becomes a paid period.
    fn end_trial(&mut self, id: &str) -> Result<(), Refusal> {
        let sub = self.find(Kind::Subscription, id)?.clone();
        // Something else that was due in this second may have ended it.
        if sub["status"] != "trialing" {
            return Ok(());
        }
        let unpaid = self.payer(&sub["customer"]) == Payer::NoMethod;
        match sub["trial_settings"]["end_behavior"]["missing_payment_method"].as_str() {
            _ if sub["cancel_at_period_end"] == true => {
                self.set_subscription(id, json!({ "status": "canceled" }))
            }
            Some("cancel") if unpaid => self.set_subscription(id, json!({ "status": "canceled" })),
            Some("pause") if unpaid => self.pause(id, PauseCause::TrialEndWithoutPaymentMethod),
            _ => self.renew(id),
        }
    }

    fn end_period(&mut self, id: &str) -> Result<(), Refusal> {
        let sub = self.find(Kind::Subscription, id)?;
        match sub["status"].as_str() {
            Some("active" | "past_due") if sub["cancel_at_period_end"] == true => {
                self.set_subscription(id, json!({ "status": "canceled" }))
            }
            Some("active" | "past_due") => self.renew(id),
            _ => Ok(()),
        }
    }

    /// The next period: its invoice, and one `customer.subscription.updated` for all that changed.
    fn renew(&mut self, id: &str) -> Result<(), Refusal> {
        let now = self.now();
        let before = self.find(Kind::Subscription, id)?.clone();
        let mut sub = before.clone();
        self.end_trials(&mut sub);
        for item in sub["items"]["data"].as_array_mut().into_iter().flatten() {
            item["current_period_start"] = now.into();
            item["current_period_end"] = later(now, &item["price"]["recurring"]).into();
        }
        self.put(Kind::Subscription, &sub);
        let payer = self.payer(&sub["customer"]);
        let status = if sub["pause_collection"].is_null() {
            self.bill(id, "subscription_cycle", false, payer)?;
            if matches!(payer, Payer::Pays | Payer::Pending) { "active" } else { "past_due" }
        } else {
            // Nothing is collected, and the customer keeps what was bought.
            "active"
        };
        let mut sub = self.find(Kind::Subscription, id)?.clone();
        // An older debt stays a debt, even if this period is paid.
        if before["status"] != "past_due" {
            sub["status"] = status.into();
        }
        let pauses = status == "past_due" && self.pauses_on(PauseOnFailure::First, &sub);
        if pauses {
            mark_paused(&mut sub, PauseCause::FirstPaymentFailure, now);
        }
        self.put(Kind::Subscription, &sub);
        self.tell_update(&before, &sub);
        if pauses { self.tell_pause(id) } else { Ok(()) }
    }

    /// Another attempt; after the last one the owner's choice decides.
    fn retry(&mut self, id: &str) -> Result<(), Refusal> {
        let invoice = self.find(Kind::Invoice, id)?.clone();
        let step = match self.payer(&invoice["customer"]) {
            Payer::Pays => InvoiceStep::Pay,
            _ => InvoiceStep::Fail,
        };
        self.step_invoice(id, step)?;
        let Some(invoice) = self.collection_mut(Kind::Invoice).get_mut(id) else { return Ok(()) };
        if invoice["status"] == "paid" || invoice["attempt_count"].as_i64() < Some(ATTEMPTS) {
            return Ok(());
        }
        invoice["next_payment_attempt"] = Value::Null;
        let sub =
            invoice["parent"]["subscription_details"]["subscription"].as_str().unwrap_or_default().to_owned();
        let subscription = self.find(Kind::Subscription, &sub)?;
        // The dunning of a paused one is over, and it stays paused.
        if subscription["status"] == "paused" {
            return Ok(());
        }
        match self.settings.dunning {
            _ if self.pauses_on(PauseOnFailure::Final, subscription) => {
                self.pause(&sub, PauseCause::FinalPaymentFailure)
            }
            // One that the owner wants to pause, and that cannot.
            _ if self.settings.pause_on_failure == PauseOnFailure::Final => {
                self.set_subscription(&sub, json!({ "status": "canceled" }))
            }
            Dunning::Cancel => self.set_subscription(&sub, json!({ "status": "canceled" })),
            Dunning::Unpaid => self.set_subscription(&sub, json!({ "status": "unpaid" })),
            Dunning::PastDue => Ok(()),
        }
    }

    /// One `customer.subscription.updated` for all that changed.
    pub(super) fn tell_update(&mut self, before: &Value, after: &Value) {
        let live = self.collection(Kind::Subscription).is_live(&id_of(after));
        let changed =
            before.as_object().into_iter().flatten().filter(|(key, old)| after[key.as_str()] != **old);
        let previous = changed.map(|(key, old)| (key.clone(), old.clone())).collect();
        self.emit("customer.subscription.updated", after, live, Some(Value::Object(previous)));
    }
}
