//! Trial offers: during the trial an item has the offer's price, and gives what the plan gives that follows.

use sandbox::Fault;
use serde_json::json;

use crate::support::world::World;

const OFFERS: &str = "/v1/product_catalog/trial_offers";
const DAY: i64 = 24 * 3600;

impl World {
    /// A trial offer of a month that leads to the world's price. Its own price is of another product: only the offer tells where it leads.
    async fn offers_a_trial(&self) -> String {
        let product = self.stripe.create_product("First month").await.expect("a product");
        let cheap = self.stripe.create_price(&product, 100).await.expect("a price");
        let offer = json!({ "price": cheap, "transition_price": self.price });
        self.stripe.create_trial_offer(offer).await.expect("an offer")
    }

    async fn reads_of_offers(&self) -> usize {
        let requests = self.stripe.requests().await.expect("the requests");
        requests.iter().filter(|request| request.path.starts_with(OFFERS)).count()
    }
}

#[tokio::test]
async fn who_begins_with_a_trial_offer_has_the_role_of_the_plan_from_the_first_day_on() {
    let world = World::start().await;
    let offer = world.offers_a_trial().await;
    let (ana, ben) = (world.member().await, world.member().await);
    for member in [&ana, &ben] {
        let new = json!({ "customer": member.customer, "trial_offers": [offer] });
        world.stripe.subscribe_with(new).await.unwrap();
        world.until_vip(member).await;
    }
    world.heard().await;
    assert_eq!(world.reads_of_offers().await, 1, "what an offer leads to is remembered");
    // The trial ends, and the plan goes on.
    world.stripe.move_clock(json!({ "advance_seconds": 32 * DAY })).await.unwrap();
    world.heard().await;
    for member in [&ana, &ben] {
        assert!(world.has(member, world.vip).await);
        assert_eq!(world.role_history(member).await, ["role.granted"]);
    }
    assert_eq!(world.reads_of_offers().await, 1);
    world.finish().await;
}

#[tokio::test]
async fn nobody_loses_the_role_on_the_way_into_a_trial_offer_and_who_cancels_in_it_does() {
    let world = World::start().await;
    let offer = world.offers_a_trial().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.stripe.set_subscription(&subscription, json!({ "trial_offers": [offer] })).await.unwrap();
    world.heard().await;
    assert_eq!(world.reads_of_offers().await, 1);
    assert!(world.has(&ana, world.vip).await);
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.stripe.cancel(&subscription).await.unwrap();
    world.until_no_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn a_plan_that_is_mapped_during_a_trial_concerns_who_is_in_it() {
    let world = World::start().await;
    let plan = world.stripe.create_price(&world.product, 5000).await.unwrap();
    let cheap = world.stripe.create_price(&world.product, 100).await.unwrap();
    let offer = json!({ "price": cheap, "transition_price": plan });
    let offer = world.stripe.create_trial_offer(offer).await.unwrap();
    let ana = world.member().await;
    let new = json!({ "customer": ana.customer, "trial_offers": [offer] });
    world.stripe.subscribe_with(new).await.unwrap();
    world.heard().await;
    assert!(!world.has(&ana, world.vip).await);
    world.map("price", &plan, world.vip).await;
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn a_product_that_only_follows_the_trial_gives_its_role_during_it() {
    let mut world = World::without_services().await;
    world.map("product", &world.product.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    world.until_every_mapped_role_is_seen().await;
    let offer = world.offers_a_trial().await;
    let ana = world.member().await;
    let new = json!({ "customer": ana.customer, "trial_offers": [offer] });
    world.stripe.subscribe_with(new).await.unwrap();
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn a_key_that_may_not_read_offers_costs_one_refusal_takes_nothing_and_another_key_is_asked_at_once() {
    let mut world = World::start().await;
    let offer = world.offers_a_trial().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.stripe.fault(Fault::status(403).on("GET", OFFERS).times(1)).await.unwrap();
    world.stripe.set_subscription(&subscription, json!({ "trial_offers": [offer] })).await.unwrap();
    world.heard().await;
    for n in 0..3 {
        world.stripe.set_subscription(&subscription, json!({ "metadata": { "n": n } })).await.unwrap();
        world.heard().await;
    }
    assert_eq!(world.reads_of_offers().await, 1);
    assert!(world.has(&ana, world.vip).await);
    let key = world.stripe.create_key("rk_test", None).await.unwrap();
    world.stop_gateway().await;
    world.set("STRIPE_SECRET_KEY", &key);
    world.start_gateway().await;
    let ben = world.member().await;
    let new = json!({ "customer": ben.customer, "trial_offers": [offer] });
    world.stripe.subscribe_with(new).await.unwrap();
    world.until_vip(&ben).await;
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.finish().await;
}

#[tokio::test]
async fn an_offer_that_is_not_there_takes_nothing_and_an_outage_is_made_up_for() {
    let world = World::start().await;
    let offer = world.offers_a_trial().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.stripe.fault(Fault::status(404).on("GET", OFFERS).times(100)).await.unwrap();
    world.stripe.set_subscription(&subscription, json!({ "trial_offers": [offer] })).await.unwrap();
    world.heard().await;
    assert!(world.reads_of_offers().await > 0);
    assert!(world.has(&ana, world.vip).await);
    world.stripe.clear_faults().await.unwrap();
    // Who has nothing yet gets it as soon as the offer can be read.
    let ben = world.member().await;
    world.stripe.fault(Fault::status(500).on("GET", OFFERS).times(100)).await.unwrap();
    let new = json!({ "customer": ben.customer, "trial_offers": [offer] });
    world.stripe.subscribe_with(new).await.unwrap();
    world.until("a read has failed", async || world.reads_where(|read| read.attempts > 0).await > 0).await;
    world.stripe.clear_faults().await.unwrap();
    world.reads_are_due().await;
    world.until_vip(&ben).await;
    assert_eq!(world.role_history(&ana).await, ["role.granted"]);
    world.finish().await;
}
