//! `expand[]`. In: paths through objects and pages. Out: objects where ids were, or Stripe's refusal.

use serde_json::{Value, json};

use crate::scene::scene;

#[tokio::test]
async fn references_are_followed_up_to_four_levels() {
    let s = scene().await;
    let (customer, subscription) = s.quiet_subscription().await;
    let (_, found) = s.get(&format!(
        "/subscriptions/{subscription}?expand[]=customer.subscriptions&expand[]=latest_invoice.payments.data.payment\
         &expand[1]=items.data.price.product&expand[2]=default_payment_method&expand[3]=test_clock"
    )).await;
    assert_eq!(found["customer"]["subscriptions"]["data"][0]["id"], subscription.as_str());
    assert_eq!(found["items"]["data"][0]["price"]["product"]["name"], "VIP");
    assert_eq!(found["latest_invoice"]["payments"]["data"][0]["payment"]["type"], "payment_intent");
    assert_eq!(found["default_payment_method"], Value::Null);

    let (_, page) =
        s.get("/subscriptions?expand[]=data.customer&expand[]=data.latest_invoice.customer").await;
    assert_eq!(page["data"][0]["customer"]["id"], customer.as_str());
    assert_eq!(page["data"][0]["latest_invoice"]["customer"]["id"], customer.as_str());
    let (_, page) = s.get("/invoices?expand[]=data.payments.data").await;
    let intent =
        page["data"][0]["payments"]["data"][0]["payment"]["payment_intent"].as_str().unwrap().to_owned();
    let (_, intent) = s
        .get(&format!("/payment_intents/{intent}?expand[]=latest_charge.refunds&expand[]=payment_method"))
        .await;
    assert_eq!(intent["latest_charge"]["refunds"]["object"], "list");
    assert_eq!(intent["payment_method"]["card"]["last4"], "4242");

    let price = &found["items"]["data"][0]["price"]["id"];
    let link = s.control.create_payment_link(json!({ "price": price })).await.unwrap();
    let (_, link) = s.get(&format!("/payment_links/{link}?expand[]=line_items.data.price.product")).await;
    assert_eq!(link["line_items"]["data"][0]["price"]["product"]["name"], "VIP");
    let bought =
        s.control.buy(link["id"].as_str().unwrap(), json!({ "email": "b@example.com" })).await.unwrap();
    let (_, session) = s.get(&format!(
        "/checkout/sessions/{}?expand[]=line_items&expand[]=subscription.latest_invoice&expand[]=customer&expand[]=payment_link",
        bought["id"].as_str().unwrap()
    )).await;
    assert_eq!(session["line_items"]["data"][0]["price"]["id"], *price);
    assert_eq!(session["subscription"]["latest_invoice"]["status"], "paid");
    assert_eq!(
        (&session["customer"]["email"], &session["payment_link"]["id"]),
        (&json!("b@example.com"), &link["id"])
    );
    // Without it, nothing of this is there.
    let (_, plain) = s.get(&format!("/checkout/sessions/{}", bought["id"].as_str().unwrap())).await;
    assert!(plain["customer"].is_string() && plain.get("line_items").is_none());
}

#[tokio::test]
async fn what_there_is_none_of_is_an_empty_list() {
    let s = scene().await;
    let (customer, subscription) = s.quiet_subscription().await;
    let (status, page) = s.get(&format!("/customers/{customer}/sources?object=card&limit=100")).await;
    assert_eq!((status, &page["data"], &page["has_more"]), (200, &json!([]), &json!(false)));
    let found = s.get(&format!("/subscriptions/{subscription}")).await.1;
    let params = json!({ "prices": [found["items"]["data"][0]["price"]["id"]] });
    let session = s.control.open_session(params).await.unwrap();
    let (_, found) = s
        .get(&format!(
            "/checkout/sessions/{session}?expand[]=line_items.data.discounts&expand[]=line_items.data.taxes"
        ))
        .await;
    let line = &found["line_items"]["data"][0];
    assert_eq!((&line["discounts"], &line["taxes"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn paths_that_lead_nowhere_are_refused_even_on_an_empty_list() {
    let s = scene().await;
    for (path, message) in [
        (
            "/subscriptions?expand[]=customer",
            "This property cannot be expanded (customer). You may want to try expanding 'data.customer' instead.",
        ),
        ("/subscriptions?expand[]=data.colour", "This property cannot be expanded (data.colour)."),
        (
            "/subscriptions?expand[]=data.items.data.price.product",
            "You cannot expand more than 4 levels of a property: data.items.data.price.product",
        ),
        ("/customers?expand[]=data.email", "This property cannot be expanded (data.email)."),
        (
            "/checkout/sessions?expand[]=data.line_items.price",
            "This property cannot be expanded (data.line_items.price).",
        ),
    ] {
        let (status, body) = s.get(path).await;
        assert_eq!((status, &body["error"]["message"]), (400, &json!(message)), "{path}");
        assert_eq!(body["error"]["type"], "invalid_request_error");
    }
}

#[tokio::test]
async fn a_deleted_customer_is_a_stub_wherever_it_is_expanded() {
    let s = scene().await;
    let (customer, subscription) = s.quiet_subscription().await;
    s.control.delete_customer(&customer).await.unwrap();
    let (_, found) = s.get(&format!("/subscriptions/{subscription}?expand[]=customer")).await;
    assert_eq!(found["customer"], json!({ "id": customer, "object": "customer", "deleted": true }));
}

#[tokio::test]
async fn what_stripe_shows_only_on_demand_is_there_on_demand() {
    let s = scene().await;
    let (customer, subscription) = s.quiet_subscription().await;
    let price = s.get(&format!("/subscriptions/{subscription}")).await.1["items"]["data"][0]["price"].clone();
    let session = s.control.open_session(json!({ "prices": [price["id"]] })).await.unwrap();
    for (path, pointer, shown) in [
        (format!("/customers/{customer}?expand[]=sources"), "/sources/data", json!([])),
        (
            format!("/prices/{}?expand[]=currency_options", price["id"].as_str().unwrap()),
            "/currency_options/usd/unit_amount",
            json!(500),
        ),
        (
            format!("/checkout/sessions/{session}?expand[]=total_details.breakdown"),
            "/total_details/breakdown",
            json!({ "discounts": [], "taxes": [] }),
        ),
        (
            "/invoices?expand[]=data.lines.data.discounts".to_owned(),
            "/data/0/lines/data/0/discounts",
            json!([]),
        ),
        (
            "/prices?expand[]=data.currency_options&expand[]=data.tiers".to_owned(),
            "/data/0/currency_options/usd/tax_behavior",
            json!("unspecified"),
        ),
    ] {
        let (status, found) = s.get(&path).await;
        assert_eq!((status, found.pointer(pointer)), (200, Some(&shown)), "{path}: {found:#}");
        // Deeper there is nothing.
        let (status, _) = s.get(&path.replacen("breakdown", "breakdown.taxes", 1)).await;
        assert_eq!(status == 400, path.contains("breakdown"), "{path}");
        let plain = s.get(path.split('?').next().unwrap()).await.1;
        assert_eq!(plain.pointer(pointer).is_some(), pointer.contains("lines"), "{path}");
    }
}

#[tokio::test]
async fn a_product_lists_what_it_entitles_to() {
    let s = scene().await;
    let product = s.control.create_product("VIP").await.unwrap();
    assert_eq!(s.get(&format!("/products/{product}/features")).await.1["data"], json!([]));
    let mut added = Vec::new();
    for key in ["vip", "lounge"] {
        added.push(s.control.add_feature(&product, json!({ "lookup_key": key })).await.unwrap());
    }
    let path = format!("/products/{product}/features");
    let (_, page) = s.get(&format!("{path}?limit=1")).await;
    assert_eq!((&page["has_more"], &page["data"][0]["id"]), (&json!(true), &json!(added[0])));
    let (_, rest) = s.get(&format!("{path}?starting_after={}", added[0])).await;
    assert_eq!(rest["data"][0]["entitlement_feature"]["lookup_key"], "lounge");
    assert_eq!(s.get(&format!("{path}/{}", added[1])).await.1["id"], added[1].as_str());
    assert_eq!(s.get(&format!("{path}/prodft_of_nobody")).await.0, 404);
    assert_eq!(s.get("/products/prod_of_nobody/features").await.0, 404);
    assert!(s.control.add_feature("prod_of_nobody", json!({ "lookup_key": "vip" })).await.is_err());
}
