//! What is bought once: who gets the role by it, and what takes it again.

use std::time::Duration;

use sandbox::Fault;
use serde_json::{Value, json};

use crate::support::world::{Member, Read, World};

/// A one-time purchase.
pub(crate) struct Bought {
    pub(crate) session: String,
    /// `pi_…`
    pub(crate) payment: String,
}

impl World {
    /// Another product with a price that is paid once, mapped to the world's role.
    pub(crate) async fn sells_once(&self) -> String {
        let product = self.stripe.create_product("VIP for ever").await.expect("a product");
        let price = json!({ "product": product, "unit_amount": 9900, "type": "one_time" });
        let price = self.stripe.create_price_with(price).await.expect("a price");
        self.map("price", &price, self.vip).await;
        price
    }

    /// A session for one price and this member's customer, completed with these words about the payment.
    pub(crate) async fn checks_out(&self, member: &Member, price: &str, purchase: Value) -> Bought {
        let params = json!({ "prices": [price], "customer": member.customer });
        let session = self.stripe.open_session(params).await.expect("a session");
        let done = self.stripe.complete_session(&session, purchase).await.expect("it is completed");
        Bought { session, payment: done["payment_intent"].as_str().expect("a payment").to_owned() }
    }

    /// Bought, paid, and the role is there.
    pub(crate) async fn buys(&self, member: &Member, price: &str) -> Bought {
        let bought = self.checks_out(member, price, json!({})).await;
        self.until_vip(member).await;
        bought
    }

    async fn once_policy(&self, price: &str, choices: &[&str]) {
        let role = self.vip.to_string();
        let mapping = ["map", "policy", "--price", price, "--role", &role];
        self.of_guild(&[&mapping[..], choices].concat()).await.expect("the policy is set");
        self.settle().await;
    }
}

#[tokio::test]
async fn who_pays_once_gets_the_role_for_ever() {
    let world = World::start().await;
    let ana = world.member().await;
    let price = world.sells_once().await;
    let bought = world.buys(&ana, &price).await;
    assert_eq!(world.days_left(&ana).await, [None]);
    let why = world.why(&ana).await;
    assert!(why.contains(&format!("{} is paid", bought.session)), "{why}");
    world.heard().await;
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.finish().await;
}

#[tokio::test]
async fn a_page_that_is_open_or_has_expired_gives_nothing() {
    let world = World::start().await;
    let ana = world.member().await;
    let price = world.sells_once().await;
    let params = json!({ "prices": [price], "customer": ana.customer });
    let session = world.stripe.open_session(params).await.unwrap();
    world.stripe.expire_session(&session).await.unwrap();
    world.heard().await;
    assert!(!world.has(&ana, world.vip).await);
    world.finish().await;
}

#[tokio::test]
async fn a_bank_that_answers_late_gives_the_role_when_it_says_yes_and_none_when_it_says_no() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    let price = world.sells_once().await;
    let hers = world.checks_out(&ana, &price, json!({ "payment": "pending" })).await;
    let his = world.checks_out(&ben, &price, json!({ "payment": "pending" })).await;
    world.heard().await;
    assert!(!world.has(&ana, world.vip).await, "the money is not there");
    world.stripe.settle_session(&his.session, false).await.unwrap();
    world.stripe.settle_session(&hers.session, true).await.unwrap();
    world.until_vip(&ana).await;
    world.heard().await;
    assert!(!world.has(&ben, world.vip).await);
    world.finish().await;
}

#[tokio::test]
async fn the_days_of_the_policy_end_it_and_are_counted_from_the_payment() {
    let world = World::start().await;
    let ana = world.member().await;
    let price = world.sells_once().await;
    world.once_policy(&price, &["one_time=30d"]).await;
    // She paid ten days ago.
    let now = world.stripe.now().await.unwrap();
    world.stripe.move_clock(json!({ "now": now - 10 * 24 * 3600 })).await.unwrap();
    let bought = world.buys(&ana, &price).await;
    world.until("its end is known", async || world.days_left(&ana).await == [Some(20)]).await;
    let is_planned = |read: &Read| {
        read.object_id == bought.session && read.is_put_off_for(Duration::from_secs(19 * 24 * 3600))
    };
    assert_eq!(world.reads_where(is_planned).await, 1, "it is read again when it is over");
    // The owner changes their mind, and it applies to her, from the same payment.
    world.once_policy(&price, &["one_time=14d"]).await;
    assert_eq!(world.days_left(&ana).await, [Some(4)]);
    world.once_policy(&price, &["one_time=default"]).await;
    assert_eq!(world.days_left(&ana).await, [None]);
    world.once_policy(&price, &["one_time=7d"]).await;
    world.until_no_vip(&ana).await;
    let why = world.why(&ana).await;
    assert!(why.contains("is paid, for longer than the role is kept"), "{why}");
    world.finish().await;
}

#[tokio::test]
async fn a_full_refund_takes_the_role_and_a_partial_one_does_not() {
    let world = World::start().await;
    let ana = world.member().await;
    let price = world.sells_once().await;
    let bought = world.buys(&ana, &price).await;
    world.stripe.refund(json!({ "payment_intent": bought.payment, "amount": 900 })).await.unwrap();
    world.heard().await;
    assert!(world.has(&ana, world.vip).await, "a part of it");
    world.stripe.refund(json!({ "payment_intent": bought.payment })).await.unwrap();
    world.until_no_vip(&ana).await;
    let why = world.why(&ana).await;
    assert!(why.contains(&format!("{} is paid, was refunded", bought.session)), "{why}");
    assert_eq!(world.role_history(&ana).await, ["role.granted", "role.revoked"]);
    world.finish().await;
}

#[tokio::test]
async fn what_a_refund_is_worth_is_the_owners_choice() {
    let world = World::start().await;
    let (ana, ben) = (world.member().await, world.member().await);
    let price = world.sells_once().await;
    let (hers, his) = (world.buys(&ana, &price).await, world.buys(&ben, &price).await);
    world.once_policy(&price, &["refund_full=keep", "refund_partial=remove"]).await;
    world.stripe.refund(json!({ "payment_intent": hers.payment })).await.unwrap();
    world.stripe.refund(json!({ "payment_intent": his.payment, "amount": 1 })).await.unwrap();
    world.until_no_vip(&ben).await;
    world.heard().await;
    assert!(world.has(&ana, world.vip).await);
    world.finish().await;
}

#[tokio::test]
async fn a_refund_that_bounces_gives_the_role_back() {
    let world = World::start().await;
    let ana = world.member().await;
    let price = world.sells_once().await;
    let bought = world.buys(&ana, &price).await;
    let refund =
        world.stripe.refund(json!({ "payment_intent": bought.payment, "status": "pending" })).await.unwrap();
    world.until_no_vip(&ana).await;
    world.stripe.fail_refund(&refund).await.unwrap();
    world.until_vip(&ana).await;
    assert_eq!(world.role_history(&ana).await, ["role.granted", "role.revoked", "role.granted"]);
    world.finish().await;
}

#[tokio::test]
async fn a_dispute_takes_the_role_until_it_is_won_and_an_inquiry_does_not() {
    let world = World::start().await;
    let ana = world.member().await;
    let price = world.sells_once().await;
    let bought = world.buys(&ana, &price).await;
    let inquiry =
        world.stripe.dispute(json!({ "payment_intent": bought.payment, "inquiry": true })).await.unwrap();
    world.heard().await;
    assert!(world.has(&ana, world.vip).await, "no money has moved");
    // It becomes a dispute.
    world.stripe.advance_dispute(&inquiry, "needs_response").await.unwrap();
    world.until_no_vip(&ana).await;
    let why = world.why(&ana).await;
    assert!(why.contains(&format!("{} is paid, is disputed", bought.session)), "{why}");
    world.stripe.advance_dispute(&inquiry, "under_review").await.unwrap();
    world.heard().await;
    assert!(!world.has(&ana, world.vip).await);
    world.stripe.close_dispute(&inquiry, "won").await.unwrap();
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn a_lost_dispute_keeps_the_role_away_and_an_appeal_that_is_won_gives_it_back() {
    let world = World::start().await;
    let ana = world.member().await;
    let price = world.sells_once().await;
    let bought = world.buys(&ana, &price).await;
    let dispute = world.stripe.dispute(json!({ "payment_intent": bought.payment })).await.unwrap();
    world.until_no_vip(&ana).await;
    world.stripe.close_dispute(&dispute, "lost").await.unwrap();
    world.heard().await;
    assert!(!world.has(&ana, world.vip).await);
    for stage in ["appeal_needs_response", "appeal_under_review"] {
        world.stripe.advance_dispute(&dispute, stage).await.unwrap();
        world.heard().await;
        assert!(!world.has(&ana, world.vip).await, "{stage}");
    }
    world.stripe.close_dispute(&dispute, "won").await.unwrap();
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn one_role_by_a_purchase_and_a_subscription_stays_when_one_of_them_is_refunded() {
    let world = World::start().await;
    let ana = world.member().await;
    let price = world.sells_once().await;
    let bought = world.buys(&ana, &price).await;
    let subscription = world.subscribes(&ana).await;
    world.heard().await;
    world.stripe.refund(json!({ "payment_intent": bought.payment })).await.unwrap();
    world.heard().await;
    assert!(world.has(&ana, world.vip).await);
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_no_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn an_error_of_any_read_takes_nothing_and_the_read_is_made_up_for() {
    let world = World::start().await;
    let ana = world.member().await;
    let price = world.sells_once().await;
    let bought = world.buys(&ana, &price).await;
    for (path, dispute) in [
        ("/v1/payment_intents", false),
        ("/v1/checkout/sessions", false),
        ("/v1/invoice_payments", false),
        ("/v1/disputes", true),
    ] {
        world.stripe.fault(Fault::status(500).on("GET", path).times(100)).await.unwrap();
        let (taken, given) = if dispute {
            let params = json!({ "payment_intent": bought.payment });
            (world.stripe.dispute(params).await.unwrap(), "won")
        } else {
            let params = json!({ "payment_intent": bought.payment, "status": "pending" });
            (world.stripe.refund(params).await.unwrap(), "bounced")
        };
        world
            .until("a read has failed", async || world.reads_where(|read| read.attempts > 0).await > 0)
            .await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(world.has(&ana, world.vip).await, "{path}");
        world.stripe.clear_faults().await.unwrap();
        world.reads_are_due().await;
        world.until_no_vip(&ana).await;
        match given {
            "won" => world.stripe.close_dispute(&taken, "won").await.unwrap(),
            _ => world.stripe.fail_refund(&taken).await.unwrap(),
        }
        world.until_vip(&ana).await;
    }
    world.finish().await;
}

#[tokio::test]
async fn what_was_bought_before_the_customer_was_linked_or_the_price_mapped_gives_the_role_then() {
    let world = World::start().await;
    let ana = world.member().await;
    let product = world.stripe.create_product("Later").await.unwrap();
    let once = json!({ "product": product, "unit_amount": 100, "type": "one_time" });
    let price = world.stripe.create_price_with(once).await.unwrap();
    let customer = world.stripe.create_customer(None, &[]).await.unwrap();
    let stranger = Member { user: ana.user, customer: customer.clone() };
    world.checks_out(&stranger, &price, json!({})).await;
    world.heard().await;
    world.map("product", &product, world.vip).await;
    world.settle().await;
    assert!(!world.has(&ana, world.vip).await, "nobody knows who that is");
    let role = world.vip.to_string();
    let preview = world.of_guild(&["map", "preview", "--role", &role]).await.unwrap();
    assert!(preview.contains(&customer), "{preview}");
    let user = ana.user.to_string();
    world.of_guild(&["link", "add", "--customer", &customer, "--user", &user]).await.unwrap();
    world.until_vip(&ana).await;
    // Without the mapping nothing gives it.
    world.of_guild(&["map", "remove", "--product", &product, "--role", &role, "--yes"]).await.unwrap();
    world.until_no_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn what_was_bought_before_there_was_a_connection_is_found_at_first_contact() {
    let mut world = World::without_services().await;
    let ana = world.member().await;
    let price = world.sells_once().await;
    let bought = world.checks_out(&ana, &price, json!({})).await;
    let refunded = world.checks_out(&world.member().await, &price, json!({})).await;
    world.stripe.refund(json!({ "payment_intent": refunded.payment })).await.unwrap();
    world.start_gateway().await;
    world.start_bot().await;
    world.until_vip(&ana).await;
    let why = world.why(&ana).await;
    assert!(why.contains(&format!("{} is paid", bought.session)), "{why}");
    assert_eq!(world.role_calls().await.len(), 1, "what was refunded gives nothing");
    world.finish().await;
}

#[tokio::test]
async fn a_guest_gets_nothing_unless_the_session_names_them() {
    let world = World::start().await;
    let ana = world.member().await;
    let price = world.sells_once().await;
    let guest = world.stripe.open_session(json!({ "prices": [price] })).await.unwrap();
    let done = world.stripe.complete_session(&guest, json!({})).await.unwrap();
    assert!(done["customer"].is_null());
    world.heard().await;
    assert!(!world.has(&ana, world.vip).await);
    assert_eq!(world.purchases().await, [(guest, None)], "it waits for whoever shows that it is theirs");
    let metadata = json!({ "discord_user_id": ana.user.to_string() });
    let named = world.stripe.open_session(json!({ "prices": [price], "metadata": metadata })).await.unwrap();
    world.stripe.complete_session(&named, json!({})).await.unwrap();
    world.until_vip(&ana).await;
    world.finish().await;
}
