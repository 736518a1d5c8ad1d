//! The shop for browsers. In: what is for sale, clicks. Out: pages, and a purchase as Stripe's own pages make it.

use reqwest::{Response, StatusCode, header};
use sandbox::stripe::Mode;
use serde_json::json;

use crate::scene::{Scene, scene};

impl Scene {
    async fn page(&self, path: &str) -> (StatusCode, String) {
        let answer = self.client.get(format!("{}{path}", self.running.url)).send().await.unwrap();
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        (answer.status(), answer.text().await.unwrap())
    }

    async fn pays(&self, path: &str, email: &str) -> Response {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        let call = http.build().unwrap().post(format!("{}{path}", self.running.url));
        call.form(&[("email", email)]).send().await.unwrap()
    }
}

#[tokio::test]
async fn who_pays_by_a_link_is_a_new_customer_and_is_led_where_the_link_says() {
    let s = scene().await;
    s.control.delivery(Mode::Drop).await.unwrap();
    assert!(s.page("/shop").await.1.contains("Nothing is for sale yet."));
    let product = s.control.create_product("VIP <b>").await.unwrap();
    let price = s.control.create_price(&product, 905).await.unwrap();
    let after = "http://localhost:1/claim?session_id={CHECKOUT_SESSION_ID}";
    let link = json!({ "price": price, "redirect_url": after, "trial_period_days": 7 });
    let link = s.control.create_payment_link(link).await.unwrap();
    let once = json!({ "product": product, "unit_amount": 5000, "currency": "jpy", "type": "one_time" });
    let once = s.control.create_price_with(once).await.unwrap();

    let (_, list) = s.page("/shop").await;
    let line = format!(r#"<a href="/shop/{link}">VIP &lt;b&gt;: free for 7 days, then 9.05 USD a month</a>"#);
    assert!(list.contains(&line), "{list}");
    assert!(list.contains(&format!(r#"<a href="/shop/{once}">VIP &lt;b&gt;: 5000 JPY once</a>"#)), "{list}");
    assert!(!list.contains(&format!("/shop/{price}")), "a link sells it: {list}");

    let buyer = "?prefilled_email=ana%40example.test&client_reference_id=81384788765712385";
    let (_, offer) = s.page(&format!("/shop/{link}{buyer}")).await;
    assert!(offer.contains(r#"value="ana@example.test""#) && offer.contains("no money moves"), "{offer}");
    let paid = s.pays(&format!("/shop/{link}{buyer}"), "ana@example.test").await;
    assert_eq!(paid.status(), StatusCode::SEE_OTHER);
    let (_, sessions) = s.get("/checkout/sessions").await;
    let session = &sessions["data"][0];
    let id = session["id"].as_str().unwrap();
    let led = format!("http://localhost:1/claim?session_id={id}");
    assert_eq!(paid.headers()[header::LOCATION], led.as_str());
    assert_eq!(
        (&session["status"], &session["client_reference_id"], &session["payment_link"]),
        (&json!("complete"), &json!("81384788765712385"), &json!(link))
    );
    let (_, customer) = s.get(&format!("/customers/{}", session["customer"].as_str().unwrap())).await;
    assert_eq!(customer["email"], "ana@example.test");

    // A price that no link sells leads nowhere.
    let paid = s.pays(&format!("/shop/{once}"), "ben@example.test").await;
    assert_eq!(paid.status(), StatusCode::OK);
    assert!(paid.text().await.unwrap().contains("Thank you"));
}

#[tokio::test]
async fn what_is_not_for_sale_any_more_cannot_be_bought() {
    let s = scene().await;
    s.control.delivery(Mode::Drop).await.unwrap();
    let product = s.control.create_product("VIP").await.unwrap();
    let price = s.control.create_price(&product, 900).await.unwrap();
    let link = s.control.create_payment_link(json!({ "price": price })).await.unwrap();
    s.control.update_payment_link(&link, json!({ "active": false })).await.unwrap();
    for id in [link.as_str(), "price_none", &product] {
        let (status, page) = s.page(&format!("/shop/{id}")).await;
        assert!(status == StatusCode::NOT_FOUND && page.contains("This cannot be bought"), "{page}");
        assert_eq!(s.pays(&format!("/shop/{id}"), "ana@example.test").await.status(), StatusCode::NOT_FOUND);
    }
    let (_, list) = s.page("/shop").await;
    assert!(list.contains(&format!("/shop/{price}")) && !list.contains(&link), "{list}");
    assert_eq!(s.get("/checkout/sessions").await.1["data"], json!([]));
}
