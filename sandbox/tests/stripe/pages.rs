//! Stripe's own pages. In: the portal's settings, an invoice. Out: where members log in, and where an invoice is paid.

use serde_json::{Value, json};

use crate::scene::{ids, scene};

#[tokio::test]
async fn the_portals_default_configuration_says_where_customers_log_in() {
    let s = scene().await;
    let (_, page) = s.get("/billing_portal/configurations?is_default=true&limit=1").await;
    let configuration = &page["data"][0];
    assert_eq!((ids(&page).len(), &configuration["object"]), (1, &json!("billing_portal.configuration")));
    assert_eq!((&configuration["livemode"], &configuration["is_default"]), (&json!(false), &json!(true)));
    let url = |configuration: &Value| configuration["login_page"]["url"].as_str().unwrap().to_owned();
    assert!(url(configuration).starts_with("https://billing.stripe.com/p/login/test_"), "{configuration}");
    let live = s.control.create_key("rk_live", None).await.unwrap();
    let (_, of_live) = s.get_with(&live, "/billing_portal/configurations").await;
    assert!(!url(&of_live["data"][0]).contains("test_"), "{of_live}");
    let id = configuration["id"].as_str().unwrap();
    assert_eq!(s.get(&format!("/billing_portal/configurations/{id}")).await.1, *configuration);

    let off = json!({ "enabled": false, "url": null });
    s.control.change_portal(json!({ "login_page": off })).await.unwrap();
    let (_, page) = s.get("/billing_portal/configurations?active=true").await;
    assert_eq!(page["data"][0]["login_page"], off);
    s.control.change_portal(json!({ "is_default": false })).await.unwrap();
    assert_eq!(ids(&s.get("/billing_portal/configurations?is_default=true").await.1), [""; 0]);
    assert!(s.control.change_portal(json!({ "login": off })).await.is_err(), "it has no such field");

    let key = s.control.create_key("rk_test", Some(json!({ "customers": "read" }))).await.unwrap();
    let (status, body) = s.get_with(&key, "/billing_portal/configurations").await;
    let said = body["error"]["message"].as_str().unwrap();
    assert!(status == 403 && said.contains("'rak_customer_portal_read'"), "{status} {said}");
}

#[tokio::test]
async fn an_invoice_has_another_address_of_its_page_each_time_and_an_event_the_one_of_then() {
    let s = scene().await;
    let (_, subscription) = s.quiet_subscription().await;
    let invoice = s.control.bill(&subscription).await.unwrap();
    let page = async |path: &str| {
        let (_, invoice) = s.get(path).await;
        let invoice =
            if invoice["object"] == "invoice" { invoice } else { invoice["latest_invoice"].clone() };
        invoice["hosted_invoice_url"].as_str().unwrap().to_owned()
    };
    let alone = format!("/invoices/{invoice}");
    let expanded = format!("/subscriptions/{subscription}?expand[]=latest_invoice");
    let pages = [page(&alone).await, page(&alone).await, page(&expanded).await];
    let begin = "https://invoice.stripe.com/i/acct_1SandboxNexrole/test_";
    assert!(pages.iter().all(|page| page.starts_with(begin)), "{pages:?}");
    assert!(pages[0] != pages[1] && pages[1] != pages[2], "{pages:?}");
    let of_event = async || {
        let (_, events) = s.get("/events?type=invoice.paid&limit=1").await;
        events["data"][0]["data"]["object"]["hosted_invoice_url"].clone()
    };
    assert_eq!(of_event().await, of_event().await);
}
