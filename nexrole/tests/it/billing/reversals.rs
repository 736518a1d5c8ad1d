//! What refunds and disputes of a subscription's payments do to its role.

use sandbox::Fault;
use serde_json::json;

use crate::support::world::{Member, World};

impl World {
    /// A subscription that begins at checkout, as Stripe tells of each step; the role is there.
    async fn subscribes_at_checkout(&self, member: &Member) -> String {
        let params = json!({ "prices": [self.price], "customer": member.customer });
        let session = self.stripe.open_session(params).await.expect("a session");
        let done = self.stripe.complete_session(&session, json!({})).await.expect("it is completed");
        self.until_vip(member).await;
        done["subscription"].as_str().expect("a subscription").to_owned()
    }

    /// The latest payment of a member's customer.
    async fn last_payment(&self, member: &Member) -> String {
        let events = self.stripe.events().await.expect("Stripe answers");
        let theirs = |charge: &&serde_json::Value| {
            charge["type"] == "charge.succeeded" && charge["data"]["object"]["customer"] == *member.customer
        };
        let charge = events.iter().rev().find(theirs).expect("they have paid");
        charge["data"]["object"]["payment_intent"].as_str().expect("a payment").to_owned()
    }

    /// Minutes pass at Stripe: a later invoice has a later time.
    async fn a_minute_passes_at_stripe(&self) {
        self.stripe.move_clock(json!({ "advance_seconds": 60 })).await.expect("the clock moves");
    }
}

#[tokio::test]
async fn a_refund_of_a_subscriptions_invoice_changes_nothing() {
    let world = World::start().await;
    let ana = world.member().await;
    world.subscribes_at_checkout(&ana).await;
    let payment = world.last_payment(&ana).await;
    world.stripe.refund(json!({ "payment_intent": payment })).await.unwrap();
    world.heard().await;
    assert!(world.has(&ana, world.vip).await);
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    // Unless the owner says otherwise; then it is what the next paid invoice ends.
    let role = world.vip.to_string();
    let mapping = ["map", "policy", "--price", &world.price, "--role", &role, "invoice_refunded=remove"];
    world.of_guild(&mapping).await.unwrap();
    world.until_no_vip(&ana).await;
    let why = world.why(&ana).await;
    assert!(why.contains("is active, its payment was refunded"), "{why}");
    world.finish().await;
}

#[tokio::test]
async fn where_stripe_sells_in_its_own_name_a_refund_ends_access_and_the_next_payment_gives_it_back() {
    let world = World::start().await;
    let ana = world.member().await;
    let subscription = world.subscribes_at_checkout(&ana).await;
    let managed = json!({ "managed_payments": { "enabled": true } });
    world.stripe.set_subscription(&subscription, managed).await.unwrap();
    let payment = world.last_payment(&ana).await;
    world.stripe.refund(json!({ "payment_intent": payment, "amount": 1 })).await.unwrap();
    world.heard().await;
    assert!(world.has(&ana, world.vip).await, "a part of it");
    world.stripe.refund(json!({ "payment_intent": payment })).await.unwrap();
    world.until_no_vip(&ana).await;
    world.a_minute_passes_at_stripe().await;
    world.stripe.bill(&subscription).await.unwrap();
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn a_disputed_payment_takes_the_role_of_its_subscription_until_it_is_won() {
    let world = World::start().await;
    let ana = world.member().await;
    world.subscribes_at_checkout(&ana).await;
    let payment = world.last_payment(&ana).await;
    let dispute = world.stripe.dispute(json!({ "payment_intent": payment })).await.unwrap();
    world.until_no_vip(&ana).await;
    let why = world.why(&ana).await;
    assert!(why.contains("is active, its payment is disputed"), "{why}");
    world.stripe.close_dispute(&dispute, "won").await.unwrap();
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn what_a_lost_dispute_took_only_a_later_paid_invoice_or_a_won_appeal_gives_back() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    let mut disputes = Vec::new();
    let mut subscriptions = Vec::new();
    for member in [&ana, &ben] {
        subscriptions.push(world.subscribes_at_checkout(member).await);
        let payment = world.last_payment(member).await;
        let dispute = world.stripe.dispute(json!({ "payment_intent": payment })).await.unwrap();
        world.until_no_vip(member).await;
        world.stripe.close_dispute(&dispute, "lost").await.unwrap();
        disputes.push(dispute);
    }
    world.a_minute_passes_at_stripe().await;
    // An invoice that is not paid gives nothing back, though the grace for it would.
    world.stripe.set_payer(&ana.customer, "declines").await.unwrap();
    let invoice = world.stripe.bill(&subscriptions[0]).await.unwrap();
    world.heard().await;
    assert!(!world.has(&ana, world.vip).await);
    world.stripe.step_invoice(&invoice, "pay").await.unwrap();
    world.until_vip(&ana).await;
    // What becomes of the old payment is over.
    world.stripe.advance_dispute(&disputes[0], "appeal_needs_response").await.unwrap();
    world.stripe.advance_dispute(&disputes[1], "appeal_needs_response").await.unwrap();
    world.heard().await;
    assert!(world.has(&ana, world.vip).await);
    assert!(!world.has(&ben, world.vip).await, "it is open again");
    world.stripe.close_dispute(&disputes[1], "won").await.unwrap();
    world.until_vip(&ben).await;
    world.finish().await;
}

#[tokio::test]
async fn by_thin_events_alone_refunds_and_disputes_are_known_too() {
    let world = World::start().await;
    let ana = world.member().await;
    let price = world.sells_once().await;
    world.stripe.set_webhook("http://127.0.0.1:9/nobody", crate::support::world::SECRET).await.unwrap();
    let params = json!({
        "url": world.webhook(), "secret": crate::support::world::SECRET, "enabled_events": ["*"], "event_payload": "thin",
    });
    world.stripe.create_webhook_endpoint(params).await.unwrap();
    let bought = world.buys(&ana, &price).await;
    let refund = json!({ "payment_intent": bought.payment, "status": "pending" });
    let refund = world.stripe.refund(refund).await.unwrap();
    world.until_no_vip(&ana).await;
    world.stripe.fail_refund(&refund).await.unwrap();
    world.until_vip(&ana).await;
    let dispute = world.stripe.dispute(json!({ "payment_intent": bought.payment })).await.unwrap();
    world.until_no_vip(&ana).await;
    world.stripe.close_dispute(&dispute, "prevented").await.unwrap();
    world.until_vip(&ana).await;
    world.close().await;
}

#[tokio::test]
async fn a_dispute_in_a_state_that_nobody_knows_changes_nothing() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    let price = world.sells_once().await;
    let hers = world.buys(&ana, &price).await.payment;
    world.subscribes_at_checkout(&ben).await;
    let his = world.last_payment(&ben).await;
    let unknown = json!({ "object": "list", "has_more": false, "data": [{ "id": "dp_1", "status": "invented_tomorrow" }] });
    let fault = Fault::status(200).body(unknown).on("GET", "/v1/disputes").times(1000);
    world.stripe.fault(fault).await.unwrap();
    let mut disputes = Vec::new();
    for payment in [&hers, &his] {
        disputes.push(world.stripe.dispute(json!({ "payment_intent": payment })).await.unwrap());
    }
    world.heard().await;
    assert!(world.has(&ana, world.vip).await && world.has(&ben, world.vip).await);
    world.stripe.clear_faults().await.unwrap();
    for dispute in &disputes {
        world.stripe.advance_dispute(dispute, "under_review").await.unwrap();
    }
    world.until_no_vip(&ana).await;
    world.until_no_vip(&ben).await;
    world.finish().await;
}
