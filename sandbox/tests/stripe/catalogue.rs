//! What is for sale. In: parameters of products, prices and payment links. Out: their lists, and the events about them.

use serde_json::{Value, json};

use crate::scene::{Scene, ids, scene};

impl Scene {
    async fn last_event(&self) -> Value {
        self.control.events().await.unwrap().pop().unwrap()
    }
}

#[tokio::test]
async fn a_payment_link_is_listed_read_and_shows_what_it_sells() {
    let s = scene().await;
    let product = s.control.create_product("VIP").await.unwrap();
    let monthly = s.control.create_price(&product, 500).await.unwrap();
    let once = json!({ "product": product, "unit_amount": 9900, "type": "one_time" });
    let once = s.control.create_price_with(once).await.unwrap();
    let params = json!({
        "price": monthly, "redirect_url": "https://example.com/claim?session_id={CHECKOUT_SESSION_ID}",
        "metadata": { "guild": "7" },
    });
    let link = s.control.create_payment_link(params).await.unwrap();
    assert_eq!(s.last_event().await["type"], "payment_link.created");

    let (status, found) = s.get(&format!("/payment_links/{link}")).await;
    assert_eq!((status, &found["object"], &found["active"]), (200, &json!("payment_link"), &json!(true)));
    assert_eq!(found["metadata"]["guild"], "7");
    assert!(found["url"].as_str().unwrap().starts_with("https://buy.stripe.com/test_"));
    let after = "https://example.com/claim?session_id={CHECKOUT_SESSION_ID}";
    assert_eq!(found["after_completion"], json!({ "redirect": { "url": after }, "type": "redirect" }));
    assert!(found.get("line_items").is_none());

    let lifetime =
        s.control.create_payment_link(json!({ "prices": [once, monthly], "active": false })).await.unwrap();
    let (_, lines) = s.get(&format!("/payment_links/{lifetime}/line_items")).await;
    let prices: Vec<_> =
        lines["data"].as_array().unwrap().iter().map(|line| line["price"]["id"].as_str().unwrap()).collect();
    assert_eq!(prices, [once.as_str(), monthly.as_str()]);
    assert_eq!(
        (&lines["data"][0]["object"], &lines["data"][0]["description"]),
        (&json!("item"), &json!("VIP"))
    );
    let (_, first) = s.get(&format!("/payment_links/{lifetime}/line_items?limit=1")).await;
    assert_eq!((&first["has_more"], ids(&first).len()), (&json!(true), 1));
    let rest = format!("/payment_links/{lifetime}/line_items?starting_after={}", ids(&first)[0]);
    assert_eq!(s.get(&rest).await.1["data"][0]["price"]["id"], monthly.as_str());

    assert_eq!(ids(&s.get("/payment_links").await.1), [lifetime.as_str(), link.as_str()]);
    assert_eq!(ids(&s.get("/payment_links?active=true").await.1), [link.as_str()]);
    let (_, page) = s.get(&format!("/payment_links?limit=1&starting_after={lifetime}")).await;
    assert_eq!((ids(&page), &page["has_more"]), (vec![link.as_str()], &json!(false)));

    s.control.update_payment_link(&link, json!({ "active": false })).await.unwrap();
    let event = s.last_event().await;
    assert_eq!(event["type"], "payment_link.updated");
    assert_eq!(event["data"]["previous_attributes"], json!({ "active": true }));
    assert_eq!(ids(&s.get("/payment_links?active=true").await.1), [""; 0]);
    assert_eq!(s.get("/payment_links/plink_x").await.0, 404);
    assert_eq!(s.get("/payment_links/plink_x/line_items").await.0, 404);
}

#[tokio::test]
async fn products_and_prices_are_found_by_what_they_are() {
    let s = scene().await;
    let vip = s.control.create_product("VIP").await.unwrap();
    let gold = s.control.create_product("Gold").await.unwrap();
    let monthly = s.control.create_price(&vip, 500).await.unwrap();
    let yearly = json!({ "product": vip, "unit_amount": 5000, "interval": "year" });
    let yearly = s.control.create_price_with(yearly).await.unwrap();
    let once = json!({ "product": gold, "unit_amount": 9900, "type": "one_time", "currency": "eur" });
    let once = s.control.create_price_with(once).await.unwrap();
    let (_, found) = s.get(&format!("/prices/{once}")).await;
    assert_eq!((&found["type"], &found["recurring"]), (&json!("one_time"), &Value::Null));

    for (query, expected) in [
        (format!("/prices?product={vip}"), vec![&yearly, &monthly]),
        ("/prices?type=one_time".into(), vec![&once]),
        ("/prices?type=recurring&limit=1".into(), vec![&yearly]),
        ("/prices?recurring[interval]=year".into(), vec![&yearly]),
        ("/prices?recurring%5Binterval%5D=month".into(), vec![&monthly]),
        ("/prices?currency=eur&active=true".into(), vec![&once]),
        ("/prices?active=false".into(), vec![]),
        (format!("/products?ids[]={vip}&ids[]={gold}"), vec![&gold, &vip]),
        (format!("/products?ids[0]={vip}"), vec![&vip]),
        ("/products?active=true".into(), vec![&gold, &vip]),
    ] {
        assert_eq!(ids(&s.get(&query).await.1), expected, "{query}");
    }
    for (query, code) in [("active=yes", None), ("colour=red", Some("parameter_unknown"))] {
        let (status, body) = s.get(&format!("/prices?{query}")).await;
        assert_eq!((status, body["error"]["code"].as_str()), (400, code), "{query}");
    }

    s.control.update_product(&vip, json!({ "active": false, "name": "VIP 2025" })).await.unwrap();
    let event = s.last_event().await;
    assert_eq!(event["type"], "product.updated");
    assert_eq!(event["data"]["previous_attributes"], json!({ "active": true, "name": "VIP" }));
    assert_eq!(ids(&s.get("/products?active=true").await.1), [gold.as_str()]);
    s.control.delete_product(&gold).await.unwrap();
    assert_eq!(s.last_event().await["type"], "product.deleted");
    assert_eq!(
        (s.get(&format!("/products/{gold}")).await.0, ids(&s.get("/products").await.1)),
        (404, vec![&*vip])
    );
    assert!(s.control.update_product(&vip, json!({ "nmae": "?" })).await.is_err());
}

#[tokio::test]
async fn an_archived_price_is_seen_wherever_it_is_embedded() {
    let s = scene().await;
    let (_, subscription) = s.quiet_subscription().await;
    let (_, found) = s.get(&format!("/subscriptions/{subscription}")).await;
    let price = found["items"]["data"][0]["price"]["id"].as_str().unwrap();
    let link = s.control.create_payment_link(json!({ "price": price })).await.unwrap();
    s.control.update_price(price, json!({ "active": false })).await.unwrap();
    assert_eq!(s.last_event().await["type"], "price.updated");
    let (_, found) = s.get(&format!("/subscriptions/{subscription}")).await;
    let item = &found["items"]["data"][0];
    assert_eq!((&item["price"]["active"], &item["plan"]["active"]), (&json!(false), &json!(false)));
    let (_, lines) = s.get(&format!("/payment_links/{link}/line_items")).await;
    assert_eq!(lines["data"][0]["price"]["active"], false);
    s.control.delete_price(price).await.unwrap();
    assert_eq!(s.last_event().await["type"], "price.deleted");
    assert_eq!(s.get(&format!("/prices/{price}")).await.0, 404);
}
