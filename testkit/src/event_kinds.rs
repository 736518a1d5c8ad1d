//! One event of every kind that the fake Stripe sends. In: its control. Out: the newest event of each type, by type.

use std::collections::BTreeMap;

use sandbox::stripe::Control;
use serde_json::{Value, json};

/// All of them: a kind that the sandbox learns to send must be added here, or the seeds and the matrix would not know it.
pub const KINDS: [&str; 50] = [
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "charge.failed",
    "charge.refund.updated",
    "charge.refunded",
    "charge.succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "checkout.session.expired",
    "customer.created",
    "customer.deleted",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.trial_will_end",
    "customer.subscription.updated",
    "customer.updated",
    "invoice.created",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_failed",
    "invoice.payment_succeeded",
    "invoice.upcoming",
    "invoice.voided",
    "invoice_payment.paid",
    "payment_intent.created",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.succeeded",
    "payment_link.created",
    "payment_link.updated",
    "payment_method.attached",
    "price.created",
    "price.deleted",
    "price.updated",
    "product.created",
    "product.deleted",
    "product.updated",
    "refund.created",
    "refund.failed",
    "refund.updated",
    "setup_intent.succeeded",
];

/// Lives a shop's life. Of a type that came more than once the last event is taken.
pub async fn all(stripe: &Control) -> BTreeMap<String, Value> {
    live(stripe).await.expect("the sandbox does as it is told");
    let events = stripe.events().await.expect("Stripe answers");
    events.into_iter().map(|event| (event["type"].as_str().expect("a type").to_owned(), event)).collect()
}

async fn live(stripe: &Control) -> anyhow::Result<()> {
    let product = stripe.create_product("A shop's").await?;
    stripe.update_product(&product, json!({ "name": "The shop's" })).await?;
    let price = stripe.create_price(&product, 500).await?;
    stripe.update_price(&price, json!({ "nickname": "monthly" })).await?;
    let once = stripe
        .create_price_with(json!({ "product": product, "unit_amount": 900, "type": "one_time" }))
        .await?;
    let link = stripe.create_payment_link(json!({ "price": price })).await?;
    stripe.buy(&link, json!({ "email": "kinds@example.com", "client_reference_id": "tok-7_A" })).await?;
    stripe.update_payment_link(&link, json!({ "active": false })).await?;
    for paid in [true, false] {
        let session = stripe.open_session(json!({ "prices": [once] })).await?;
        stripe.complete_session(&session, json!({ "payment": "pending" })).await?;
        stripe.settle_session(&session, paid).await?;
    }
    let session = stripe.open_session(json!({ "prices": [once] })).await?;
    stripe.expire_session(&session).await?;
    let session = stripe.open_session(json!({ "prices": [once] })).await?;
    let bought = stripe.complete_session(&session, json!({})).await?;
    let intent = &bought["payment_intent"];
    let refund =
        stripe.refund(json!({ "payment_intent": intent, "amount": 100, "status": "pending" })).await?;
    stripe.fail_refund(&refund).await?;
    let dispute = stripe.dispute(json!({ "payment_intent": intent, "inquiry": false })).await?;
    stripe.close_dispute(&dispute, "won").await?;
    let customer = stripe.create_customer(Some("kinds@example.com"), &[("discord_user_id", "7")]).await?;
    let setup = stripe.open_session(json!({ "mode": "setup", "customer": customer })).await?;
    stripe.complete_session(&setup, json!({})).await?;
    stripe.update_customer(&customer, json!({ "name": "Kinds" })).await?;
    let subscription = stripe.subscribe(&customer, &price).await?;
    for (payer, step) in [("declines", "void"), ("needs_action", "pay"), ("declines", "mark_uncollectible")] {
        stripe.set_payer(&customer, payer).await?;
        let invoice = stripe.bill(&subscription).await?;
        stripe.step_invoice(&invoice, step).await?;
    }
    stripe.delete_customer(&customer).await?;
    // A trial that nobody pays for, in a time of its own.
    let without_card = stripe.create_customer(None, &[]).await?;
    stripe.set_payer(&without_card, "no_method").await?;
    let trial = json!({ "customer": without_card, "prices": [price], "status": "trialing" });
    let trial = stripe.subscribe_with(trial).await?;
    let now = stripe.now().await?;
    let pausing = json!({
        "trial_end": now + 4 * 86_400,
        "trial_settings": { "end_behavior": { "missing_payment_method": "pause" } },
    });
    stripe.set_subscription(&trial, pausing).await?;
    // One that is announced, and one that somebody resumes.
    stripe.set_settings(json!({ "upcoming_days": 27 })).await?;
    let member = stripe.create_customer(None, &[]).await?;
    let renewed = stripe.subscribe(&member, &price).await?;
    stripe.move_clock(json!({ "advance_seconds": 5 * 86_400 })).await?;
    stripe.set_settings(json!({})).await?;
    stripe.pause(&renewed, "pause_requested").await?;
    stripe.resume(&renewed, "resume_on_payment_success").await?;
    let gone = stripe.create_product("Gone").await?;
    let price = stripe.create_price(&gone, 100).await?;
    stripe.delete_price(&price).await?;
    stripe.delete_product(&gone).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_list_of_kinds_is_what_the_sandbox_sends() {
        let running = sandbox::stripe::serve(sandbox::stripe::Options::default()).await.unwrap();
        let sent = all(&Control::new(&running.url)).await;
        let sent: Vec<&str> = sent.keys().map(String::as_str).collect();
        assert_eq!(sent, KINDS);
        running.stop().await;
    }
}
