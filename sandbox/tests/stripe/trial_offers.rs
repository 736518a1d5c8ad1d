//! Trial offers. In: a subscription that begins with one. Out: its price during the trial and afterwards.

use serde_json::{Value, json};

use crate::scene::scene;

const DAY: i64 = 24 * 3600;

#[tokio::test]
async fn an_item_costs_the_offers_price_and_afterwards_another() {
    let s = scene().await;
    let product = s.control.create_product("VIP").await.unwrap();
    let price = async |unit_amount: i64| s.control.create_price(&product, unit_amount).await.unwrap();
    let (cheap, full) = (price(100).await, price(900).await);
    let offer = json!({ "price": cheap, "transition_price": full, "iterations": 2 });
    let offer = s.control.create_trial_offer(offer).await.unwrap();
    let found = s.get(&format!("/product_catalog/trial_offers/{offer}?expand[]=price")).await.1;
    assert_eq!(
        (&found["object"], &found["price"]["id"]),
        (&json!("product_catalog.trial_offer"), &json!(cheap))
    );
    assert_eq!(found["end_behavior"]["transition"]["price"], full);
    let path = format!("/product_catalog/trial_offers/{offer}?expand[]=end_behavior.transition.price");
    let expanded = s.get(&path).await.1["end_behavior"]["transition"]["price"].clone();
    assert_eq!((&expanded["id"], &expanded["product"]), (&json!(full), &json!(product)));

    let customer = s.control.create_customer(None, &[]).await.unwrap();
    let new = json!({ "customer": customer, "trial_offers": [offer] });
    let subscription = s.control.subscribe_with(new).await.unwrap();
    let state = async || {
        let found = s.get(&format!("/subscriptions/{subscription}")).await.1;
        let item = found["items"]["data"][0].clone();
        let invoice = found["latest_invoice"].as_str().unwrap().to_owned();
        let invoice = s.get(&format!("/invoices/{invoice}")).await.1;
        (found["status"].clone(), item, invoice["amount_paid"].clone())
    };
    let (status, item, paid) = state().await;
    assert_eq!((status, paid), (json!("active"), json!(100)), "a paid trial is no `trialing`");
    assert_eq!((&item["price"]["id"], &item["current_trial"]["trial_offer"]), (&json!(cheap), &json!(offer)));
    let span = |field: &str| item["current_trial"][field].as_i64().unwrap();
    assert!((58 * DAY..=63 * DAY).contains(&(span("end_date") - span("start_date"))));
    // Its first renewal is still on trial, its second is not.
    s.control.move_clock(json!({ "advance_seconds": 32 * DAY, "stopped": true })).await.unwrap();
    assert_eq!(state().await.1["current_trial"], item["current_trial"]);
    s.control.move_clock(json!({ "advance_seconds": 32 * DAY, "stopped": true })).await.unwrap();
    let (status, item, paid) = state().await;
    assert_eq!((status, paid), (json!("active"), json!(900)));
    assert_eq!((&item["price"]["id"], &item["current_trial"]), (&json!(full), &Value::Null));
    assert_eq!(item["plan"]["id"], full);
    let updated = s.control.events().await.unwrap().pop().unwrap();
    let before = &updated["data"]["previous_attributes"]["items"]["data"][0];
    assert_eq!(
        (&updated["type"], &before["price"]["id"]),
        (&json!("customer.subscription.updated"), &json!(cheap))
    );
}

#[tokio::test]
async fn a_subscription_that_runs_may_go_into_a_trial() {
    let s = scene().await;
    let (_, subscription) = s.quiet_subscription().await;
    let found = async || s.get(&format!("/subscriptions/{subscription}")).await.1["items"]["data"].clone();
    let (full, product) =
        (found().await[0]["price"]["id"].clone(), found().await[0]["price"]["product"].clone());
    let cheap = s.control.create_price(product.as_str().unwrap(), 100).await.unwrap();
    let offer = json!({ "price": cheap, "transition_price": full });
    let offer = s.control.create_trial_offer(offer).await.unwrap();
    s.control.set_subscription(&subscription, json!({ "trial_offers": [offer] })).await.unwrap();
    let items = found().await;
    assert_eq!(items.as_array().unwrap().len(), 1);
    assert_eq!(
        (&items[0]["price"]["id"], &items[0]["current_trial"]["trial_offer"]),
        (&json!(cheap), &json!(offer))
    );
}

#[tokio::test]
async fn an_offer_is_about_prices_that_recur() {
    let s = scene().await;
    let product = s.control.create_product("VIP").await.unwrap();
    let monthly = s.control.create_price(&product, 100).await.unwrap();
    let once = json!({ "product": product, "unit_amount": 900, "type": "one_time" });
    let once = s.control.create_price_with(once).await.unwrap();
    for wrong in [
        json!({ "price": once, "transition_price": monthly }),
        json!({ "price": monthly, "transition_price": "price_of_nobody" }),
        json!({ "price": monthly, "transition_price": monthly, "iterations": 0 }),
    ] {
        assert!(s.control.create_trial_offer(wrong.clone()).await.is_err(), "{wrong}");
    }
}
