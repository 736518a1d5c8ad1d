//! Reads. In: GETs as the product makes them. Out: objects, pages and refusals in Stripe's words.

use sandbox::stripe::{Fault, KEY};
use serde_json::json;

use crate::scene::{ids, scene};

#[tokio::test]
async fn subscriptions_are_listed_read_and_expanded() {
    let s = scene().await;
    let (customer, first) = s.quiet_subscription().await;
    let (_, found) = s.get(&format!("/subscriptions/{first}")).await;
    assert_eq!((&found["customer"], &found["status"]), (&json!(customer), &json!("active")));
    assert!(found["items"]["data"][0]["current_period_end"].as_i64().unwrap() > 0);
    let price = found["items"]["data"][0]["price"]["id"].as_str().unwrap();
    let second = s.control.subscribe(&customer, price).await.unwrap();

    let (_, expanded) = s.get(&format!("/subscriptions/{first}?expand%5B0%5D=customer")).await;
    assert_eq!(expanded["customer"]["metadata"]["discord_user_id"], "123");
    let (_, list) =
        s.get(&format!("/subscriptions?customer={customer}&limit=1&expand[]=data.customer")).await;
    assert_eq!((ids(&list), &list["has_more"]), (vec![second.as_str()], &json!(true)));
    assert_eq!((&list["object"], &list["url"]), (&json!("list"), &json!("/v1/subscriptions")));
    assert_eq!(list["data"][0]["customer"]["email"], "ana@example.com");
    let (_, rest) = s.get(&format!("/subscriptions?starting_after={second}")).await;
    assert_eq!((ids(&rest), &rest["has_more"]), (vec![first.as_str()], &json!(false)));

    s.control.cancel(&first).await.unwrap();
    assert_eq!(ids(&s.get("/subscriptions").await.1), [second.as_str()]);
    assert_eq!(ids(&s.get("/subscriptions?status=all").await.1), [second.as_str(), first.as_str()]);
    assert_eq!(ids(&s.get("/subscriptions?status=canceled").await.1), [first.as_str()]);
}

#[tokio::test]
async fn the_account_is_read_by_its_id_too_and_has_no_others() {
    let s = scene().await;
    let own = s.get("/account").await.1;
    let id = own["id"].as_str().unwrap();
    assert_eq!(s.get(&format!("/accounts/{id}")).await, (200, own.clone()));
    let (status, body) = s.get("/accounts/acct_of_others").await;
    assert_eq!((status, &body["error"]["code"]), (403, &json!("account_invalid")));
    let page = s.get("/accounts?limit=100").await.1;
    assert_eq!(
        (&page["data"], &page["has_more"], &page["url"]),
        (&json!([]), &json!(false), &json!("/v1/accounts"))
    );
}

#[tokio::test]
async fn refusals_are_worded_like_stripes() {
    let s = scene().await;
    let (status, body) = s.get("/subscriptions/sub_x").await;
    assert_eq!(status, 404);
    let error = &body["error"];
    assert_eq!((&error["code"], &error["param"]), (&json!("resource_missing"), &json!("id")));
    assert_eq!(error["message"], "No such subscription: 'sub_x'");

    let url = format!("{}/v1/customers", s.running.url);
    let wrong = s.client.get(&url).bearer_auth("rk_live_other").send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    let basic = s.client.get(&url).basic_auth(KEY, Some("")).send().await.unwrap();
    assert_eq!(basic.status(), 200);
    for path in ["/customers", "/checkout/sessions"] {
        let url = format!("{}/v1{path}", s.running.url);
        let write = s.client.post(url).bearer_auth(KEY).send().await.unwrap();
        assert_eq!(write.status(), 403);
    }
    assert_eq!(s.get("/nothing").await.0, 404);
    s.control.fault(Fault::status(429).on("GET", "/v1/customers")).await.unwrap();
    assert_eq!(s.get("/customers?limit=3").await.0, 429);
    let calls = s.control.requests().await.unwrap();
    let last = calls.last().unwrap();
    assert_eq!((last.path_and_query.as_str(), last.status), ("/v1/customers?limit=3", Some(429)));
    assert_eq!(calls.iter().filter(|call| call.method == "POST").count(), 2);
    assert!(calls.iter().any(|call| call.path == "/v1/nothing" && call.status == Some(404)));
}

#[tokio::test]
async fn an_invoice_names_its_subscription() {
    let s = scene().await;
    let (_, subscription) = s.quiet_subscription().await;
    let (_, page) = s.get("/events?type=invoice.paid").await;
    let invoice = &page["data"][0]["data"]["object"];
    assert_eq!(invoice["parent"]["subscription_details"]["subscription"], json!(subscription));
    assert_eq!(s.get(&format!("/subscriptions/{subscription}")).await.1["latest_invoice"], invoice["id"]);
}
