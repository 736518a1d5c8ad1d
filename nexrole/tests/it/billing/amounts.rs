//! What is subscribed to, as our rows keep it: prices, quantities, discounts; and what a one-time purchase came to.

use sandbox::Fault;
use serde_json::{Value, json};

use crate::support::world::World;

impl World {
    /// An active subscription of the world's price, read with these fields in the place of Stripe's.
    async fn reads_as(&self, fields: Value) -> Value {
        let ana = self.member().await;
        let new = json!({ "customer": ana.customer, "prices": [self.price], "status": "incomplete" });
        let subscription = self.stripe.subscribe_with(new).await.expect("a subscription");
        self.heard().await;
        let mut body = json!({ "id": subscription, "object": "subscription", "customer": ana.customer, "status": "active" });
        for (name, value) in fields.as_object().expect("fields") {
            body[name] = value.clone();
        }
        let path = format!("/v1/subscriptions/{subscription}");
        let read = Fault::status(200).on("GET", &path).body(body).times(100);
        self.stripe.fault(read).await.expect("a fault");
        self.stripe
            .set_subscription(&subscription, json!({ "metadata": { "a": "b" } }))
            .await
            .expect("a change");
        self.until_vip(&ana).await;
        self.heard().await;
        self.subscribed_to(&subscription).await
    }
}

#[tokio::test]
async fn what_is_subscribed_to_is_kept_as_stripe_says_it() {
    let world = World::start().await;
    let ana = world.member().await;
    let subscription = world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.heard().await;
    let expected = json!({
        "price": world.price, "product": world.product, "quantity": 1, "unit_amount": 900,
        "currency": "usd", "interval": "month", "interval_count": 1, "discounts": [],
    });
    let kept = world.subscribed_to(&subscription).await;
    assert_eq!(kept, json!({ "items": [expected], "discounts": [] }));
    let once = world.sells_once().await;
    let bought = world.buys(&ana, &once).await;
    world.heard().await;
    assert_eq!(world.came_to(&bought.session).await, (Some(9900), Some("usd".to_owned())));
    world.finish().await;
}

#[tokio::test]
async fn what_discounts_take_off_is_read_with_their_coupons_once() {
    let world = World::start().await;
    let coupon = json!({ "id": "HALF", "object": "coupon", "percent_off": 50.0, "amount_off": null });
    let coupons = Fault::status(200).on("GET", "/v1/coupons/HALF").body(coupon).times(100);
    world.stripe.fault(coupons).await.unwrap();
    let discount = |id: &str| json!({ "id": id, "object": "discount", "end": null, "source": { "type": "coupon", "coupon": id } });
    for _ in 0..2 {
        let item = json!({ "id": "si_1", "quantity": 2, "price": { "id": world.price, "product": world.product },
                           "discounts": [discount("HALF"), discount("GONE")] });
        let fields =
            json!({ "discounts": ["di_not_expanded"], "items": { "has_more": false, "data": [item] } });
        let kept = world.reads_as(fields).await;
        assert_eq!(kept["items"][0]["discounts"], json!([{ "percent_off": 50.0 }, {}]));
        assert_eq!(kept["discounts"], json!([{}]), "one of which nothing is known");
    }
    let requests = world.stripe.requests().await.unwrap();
    let of_coupons = requests.iter().filter(|request| request.path.starts_with("/v1/coupons/")).count();
    assert_eq!(of_coupons, 2, "one of each");
    world.finish().await;
}

#[tokio::test]
async fn an_absurd_amount_is_unknown_and_takes_and_gives_nothing() {
    let world = World::start().await;
    let absurd = [json!(-1), json!(1e308), json!("900"), Value::Null, json!([]), json!({})];
    for amount in absurd {
        let price = json!({ "id": world.price, "product": world.product, "unit_amount": amount, "currency": amount,
                            "recurring": { "interval": amount, "interval_count": amount } });
        let item = json!({ "id": "si_1", "quantity": amount, "discounts": amount, "price": price });
        let fields = json!({ "discounts": amount, "items": { "has_more": false, "data": [item] } });
        let kept = world.reads_as(fields).await;
        assert_eq!(kept["items"][0]["price"], world.price, "{kept}");
        assert_eq!(kept["items"][0].get("unit_amount"), None, "{kept}");
        assert_eq!(kept["items"][0].get("quantity"), None, "{kept}");
    }
    world.finish().await;
}

/// Which permission discounts need is in no page of Stripe's.
#[tokio::test]
async fn a_key_that_may_not_read_discounts_gives_the_role_all_the_same() {
    let world = World::start().await;
    let refused = Fault::status(403).on("GET", "/v1/subscriptions/").times(1);
    world.stripe.fault(refused).await.unwrap();
    let ana = world.member().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    world.heard().await;
    assert_eq!(world.reads_where(|read| read.attempts > 0 || read.last_error.is_some()).await, 0);
    // It is not asked for them at every read. Another subscription: the first one may have been read twice.
    world.stripe.clear_requests().await.unwrap();
    let ben = world.member().await;
    world.subscribes(&ben).await;
    world.until_vip(&ben).await;
    world.heard().await;
    let requests = world.stripe.requests().await.unwrap();
    let reads: Vec<_> =
        requests.iter().filter(|request| request.path.starts_with("/v1/subscriptions/")).collect();
    assert!(!reads.is_empty(), "it was read");
    assert!(reads.iter().all(|request| !request.path_and_query.contains("discounts")), "{reads:?}");
    world.finish().await;
}
