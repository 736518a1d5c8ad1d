//! What is to be said of a member beside their roles: what they bought that gives none, and whose they are not. In: the facts. Out:
//! answers with what helps.

use super::{
    explanation::{Answer, Cause, Explained, Fix, Next},
    facts::{Bought, Customer, Facts},
    steps,
};
use crate::{clock::Timestamp, domain::billing::subscription::SubscriptionStatus};

/// `has_roles`: whether anything is said of a role already.
pub(super) fn general(facts: &Facts, has_roles: bool, now: Timestamp) -> Vec<Explained> {
    let mut parts: Vec<Explained> = Vec::new();
    let mut say = |cause: Cause, fix: Fix, at: Option<Timestamp>, steps| {
        let next = Next { at: at.filter(|at| *at > now), fix };
        parts.push(Explained { role: None, answer: Answer::Lacks(cause), steps, next });
    };
    for customer in &facts.customers {
        if let (Some(holder), Some(named)) = (customer.holder, customer.named)
            && holder != named
        {
            let id = customer.customer_id.clone();
            let fix = Fix::CorrectLink { customer: id.clone() };
            say(Cause::LinkConflict { customer: id, holder, named }, fix, None, steps::of_customer(customer));
        }
    }
    for bought in facts.bought.iter().filter(|bought| !is_over(bought)) {
        let id = bought.id.clone();
        let at = bought.read.next_read_at;
        match bought.user() {
            // What they had by it is explained with the role.
            Some(member) if member != facts.member && !had_by(facts, &id) => {
                say(Cause::ForAnother { id, member }, Fix::Nothing, None, steps::of_bought(facts, bought));
            }
            Some(member) if member != facts.member => {}
            _ if bought.read.is_unread => {
                let cause = Cause::Unread { id, error: bought.read.read_error.clone() };
                say(cause, Fix::Wait, at, steps::of_bought(facts, bought));
            }
            _ if !facts.mappings.iter().any(|mapping| bought.has(&mapping.sold))
                && !facts.sources.iter().any(|source| source.is_live && source.source_id == bought.id) =>
            {
                let prices = bought.price_ids.clone();
                let fix = Fix::MapPrice(prices.clone());
                say(Cause::NotMapped { id, prices }, fix, None, steps::of_bought(facts, bought));
            }
            _ => {}
        }
    }
    let theirs = facts.customers.iter().filter(|customer| customer.holder == Some(facts.member));
    for customer in theirs {
        if let Some((cause, fix, at)) = of_customer(facts, customer, has_roles) {
            say(cause, fix, at, steps::of_customer(customer));
        }
    }
    if parts.is_empty() && !has_roles {
        let (cause, fix) = (Cause::NeverLinked, Fix::LinkCustomer);
        let next = Next { at: None, fix };
        parts.push(Explained { role: None, answer: Answer::Lacks(cause), steps: Vec::new(), next });
    }
    parts
}

/// A customer that is theirs, and may have bought what we have not heard of.
fn of_customer(
    facts: &Facts,
    customer: &Customer,
    has_roles: bool,
) -> Option<(Cause, Fix, Option<Timestamp>)> {
    let id = customer.customer_id.clone();
    let connection = facts.connections.iter().find(|it| it.connection_id == customer.connection_id)?;
    let has_bought = facts.bought.iter().any(|bought| bought.customer_id.as_ref() == Some(&id));
    if !connection.is_active && !has_roles {
        let cause = Cause::Disconnected { customer: id, livemode: connection.livemode };
        return Some((cause, Fix::ReconnectAccount, None));
    }
    if customer.read.is_unread {
        let cause = Cause::Unread { id, error: customer.read.read_error.clone() };
        return Some((cause, Fix::Wait, customer.read.next_read_at));
    }
    let cause = Cause::NothingBought { customer: id, events_read_at: connection.answered_at };
    let is_so = !has_bought && connection.is_active && !has_roles;
    is_so.then_some((cause, Fix::Wait, connection.next_poll_at))
}

fn is_over(bought: &Bought) -> bool {
    SubscriptionStatus::ENDED.contains(&SubscriptionStatus::parse(&bought.status))
}

/// Whether something ever gave them a role.
fn had_by(facts: &Facts, id: &str) -> bool {
    facts.sources.iter().any(|source| source.source_id == id)
}
