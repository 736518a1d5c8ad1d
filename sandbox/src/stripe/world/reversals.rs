//! Money that goes back. In: refunds and disputes about a charge. Out: both, the charge, and the events.

use serde::Deserialize;
use serde_json::{Value, json};

use super::state::{World, id_of};
use crate::refusal::Refusal;
use crate::stripe::kinds::Kind;
use crate::stripe::objects::payment as objects;

/// What a test says about a refund.
#[derive(Deserialize)]
pub(crate) struct NewRefund {
    charge: Option<String>,
    payment_intent: Option<String>,
    /// What is left, unless said.
    amount: Option<i64>,
    #[serde(default)]
    reason: Value,
    /// `succeeded` unless said; `pending` can still fail.
    status: Option<String>,
}

/// What a test says about a dispute.
#[derive(Deserialize)]
pub(crate) struct NewDispute {
    charge: Option<String>,
    payment_intent: Option<String>,
    amount: Option<i64>,
    reason: Option<String>,
    /// A question before a dispute; no money moves.
    #[serde(default)]
    inquiry: bool,
}

/// How a dispute ends; what is lost can be appealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// The owner keeps the money.
    Won,
    /// The cardholder gets it.
    Lost,
    /// An inquiry that was dropped.
    WarningClosed,
    /// Settled before it became a dispute.
    Prevented,
}

impl World {
    /// Gives money back, all that is left or a part.
    pub(crate) fn refund(&mut self, params: &NewRefund) -> Result<String, Refusal> {
        let id = self.the_charge(params.charge.as_deref(), params.payment_intent.as_deref())?;
        let live = self.live(Kind::Charge, &id)?;
        let charge = self.find(Kind::Charge, &id)?.clone();
        let number = |field: &str| charge[field].as_i64().unwrap_or_default();
        let left = number("amount_captured") - number("amount_refunded");
        let amount = params.amount.unwrap_or(left);
        if amount < 1 || amount > left {
            return Err(Refusal::conflict(format!("of charge {id}, {left} can be refunded, not {amount}")));
        }
        let status = params.status.as_deref().unwrap_or("succeeded");
        let refund = objects::refund(self.birth(live), &charge, amount, &params.reason, status);
        self.collection_mut(Kind::Refund).add(refund.clone(), live);
        let (charge, before) = self.refunded(&id, amount);
        self.emit("charge.refunded", &charge, live, Some(before));
        self.emit("refund.created", &refund, live, None);
        Ok(id_of(&refund))
    }

    /// The bank sends a refund back: the charge stands again.
    pub(crate) fn fail_refund(&mut self, id: &str) -> Result<(), Refusal> {
        let live = self.live(Kind::Refund, id)?;
        let mut refund = self.find(Kind::Refund, id)?.clone();
        let was = refund["status"].clone();
        if was == "failed" {
            return Err(Refusal::conflict(format!("refund {id} has failed before")));
        }
        refund["status"] = "failed".into();
        refund["failure_reason"] = "lost_or_stolen_card".into();
        self.put(Kind::Refund, &refund);
        let charge = refund["charge"].as_str().unwrap_or_default();
        self.refunded(charge, -refund["amount"].as_i64().unwrap_or_default());
        let before = json!({ "status": was });
        for event in ["charge.refund.updated", "refund.updated", "refund.failed"] {
            self.emit(event, &refund, live, Some(before.clone()));
        }
        Ok(())
    }

    fn refunded(&mut self, charge: &str, amount: i64) -> (Value, Value) {
        let Some(charge) = self.collection_mut(Kind::Charge).get_mut(charge) else {
            return Default::default();
        };
        let so_far = charge["amount_refunded"].as_i64().unwrap_or_default();
        let full = Value::Bool(json!(so_far + amount) == charge["amount"]);
        let mut before = json!({ "amount_refunded": so_far });
        if charge["refunded"] != full {
            before["refunded"] = charge["refunded"].clone();
        }
        charge["amount_refunded"] = (so_far + amount).into();
        charge["refunded"] = full;
        (charge.clone(), before)
    }

    /// A cardholder complains.
    pub(crate) fn dispute(&mut self, params: &NewDispute) -> Result<String, Refusal> {
        let id = self.the_charge(params.charge.as_deref(), params.payment_intent.as_deref())?;
        let live = self.live(Kind::Charge, &id)?;
        let charge = self.find(Kind::Charge, &id)?.clone();
        let amount = params.amount.or(charge["amount"].as_i64()).unwrap_or_default();
        let reason = params.reason.as_deref().unwrap_or("fraudulent");
        let dispute = objects::dispute(self.birth(live), &charge, amount, reason, params.inquiry);
        if let Some(charge) = self.collection_mut(Kind::Charge).get_mut(&id) {
            charge["disputed"] = true.into();
        }
        self.add(Kind::Dispute, &dispute, live, "charge.dispute.created");
        if !params.inquiry {
            self.emit("charge.dispute.funds_withdrawn", &dispute, live, None);
        }
        Ok(id_of(&dispute))
    }

    fn the_charge(&self, charge: Option<&str>, intent: Option<&str>) -> Result<String, Refusal> {
        let id = match (charge, intent) {
            (Some(charge), _) => Some(charge.to_owned()),
            (None, Some(intent)) => self.charge_of(intent),
            (None, None) => None,
        };
        let id = id.ok_or_else(|| Refusal::malformed("which charge, or which paid payment_intent?"))?;
        if self.find(Kind::Charge, &id)?["paid"] != true {
            return Err(Refusal::conflict(format!("charge {id} was declined")));
        }
        Ok(id)
    }
}
