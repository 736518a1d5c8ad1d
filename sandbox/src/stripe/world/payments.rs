//! Payments. In: who pays, and whether the bank agrees. Out: intents, charges, and the events about them.

use serde_json::{Value, json};

use super::payer::Payer;
use super::state::{World, id_of};
use crate::refusal::Refusal;
use crate::stripe::kinds::Kind;
use crate::stripe::objects::payment::{self as objects, Payment};

/// What is owed.
pub(super) struct Debt<'a> {
    pub(super) customer: &'a Value,
    pub(super) email: &'a Value,
    pub(super) amount: i64,
    pub(super) currency: &'a Value,
}

impl World {
    /// How a customer pays from now on.
    pub(crate) fn set_payer(&mut self, customer: &str, payer: Payer) -> Result<(), Refusal> {
        self.live(Kind::Customer, customer)?;
        self.payers.insert(customer.to_owned(), payer);
        Ok(())
    }

    pub(super) fn payer(&self, customer: &Value) -> Payer {
        customer.as_str().and_then(|id| self.payers.get(id)).copied().unwrap_or_default()
    }

    /// A card of this customer, as it was typed in just now.
    pub(super) fn add_card(&mut self, live: bool, customer: &Value, email: &Value) -> String {
        let card = objects::payment_method(self.birth(live), customer, email);
        self.collection_mut(Kind::PaymentMethod).add(card.clone(), live);
        if !customer.is_null() {
            self.emit("payment_method.attached", &card, live, None);
        }
        id_of(&card)
    }

    /// An attempt to collect; answers the intent's id.
    pub(super) fn collect(&mut self, live: bool, debt: &Debt<'_>, payer: Payer) -> String {
        let method = self.card_of(live, debt);
        let payment = Payment {
            customer: debt.customer,
            email: debt.email,
            amount: debt.amount,
            currency: debt.currency,
            method: &method,
        };
        let intent = objects::payment_intent(self.birth(live), &payment);
        let id = self.add(Kind::PaymentIntent, &intent, live, "payment_intent.created");
        match payer {
            Payer::Pays => self.settle(&id, true),
            Payer::Declines | Payer::NoMethod => self.settle(&id, false),
            Payer::NeedsAction => self.step(&id, "requires_action", "payment_intent.requires_action"),
            Payer::Pending => self.step(&id, "processing", "payment_intent.processing"),
        }
        id
    }

    fn card_of(&mut self, live: bool, debt: &Debt<'_>) -> String {
        let theirs = |card: &&Value| !debt.customer.is_null() && card["customer"] == *debt.customer;
        let card = self.collection(Kind::PaymentMethod).oldest_first().rev().find(theirs).map(id_of);
        card.unwrap_or_else(|| self.add_card(live, debt.customer, debt.email))
    }

    fn step(&mut self, intent: &str, status: &str, event: &str) {
        let live = self.collection(Kind::PaymentIntent).is_live(intent);
        if let Some(object) = self.collection_mut(Kind::PaymentIntent).get_mut(intent) {
            object["status"] = status.into();
            let object = object.clone();
            self.emit(event, &object, live, None);
        }
    }

    /// The bank's answer: a charge, and where the intent stands now.
    pub(super) fn settle(&mut self, intent: &str, paid: bool) {
        let live = self.collection(Kind::PaymentIntent).is_live(intent);
        let Some(mut object) = self.collection(Kind::PaymentIntent).get(intent).cloned() else { return };
        let method = object["payment_method"].as_str().unwrap_or_default().to_owned();
        let card = self.collection(Kind::PaymentMethod).get(&method);
        let email = card.map_or(Value::Null, |card| card["billing_details"]["email"].clone());
        let payment = Payment {
            customer: &object["customer"],
            email: &email,
            amount: object["amount"].as_i64().unwrap_or_default(),
            currency: &object["currency"],
            method: &method,
        };
        let charge = objects::charge(self.birth(live), &payment, intent, paid);
        let (status, charged, settled) = match paid {
            true => ("succeeded", "charge.succeeded", "payment_intent.succeeded"),
            false => ("requires_payment_method", "charge.failed", "payment_intent.payment_failed"),
        };
        self.add(Kind::Charge, &charge, live, charged);
        object["latest_charge"] = charge["id"].clone();
        object["status"] = status.into();
        if paid {
            object["amount_received"] = object["amount"].clone();
        } else {
            object["payment_method"] = Value::Null;
            object["last_payment_error"] = json!({
                "charge": charge["id"], "code": "card_declined", "decline_code": "generic_decline",
                "doc_url": "https://stripe.com/docs/error-codes/card-declined",
                "message": "Your card was declined.", "type": "card_error",
            });
        }
        self.put(Kind::PaymentIntent, &object);
        self.emit(settled, &object, live, None);
    }

    /// The charge that an intent led to.
    pub(super) fn charge_of(&self, intent: &str) -> Option<String> {
        let intent = self.collection(Kind::PaymentIntent).get(intent)?;
        intent["latest_charge"].as_str().map(ToOwned::to_owned)
    }
}
