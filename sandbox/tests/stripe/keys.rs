//! Keys. In: keys of both modes with some permissions or none left. Out: what each may see, and Stripe's refusals.

use serde_json::{Value, json};

use crate::scene::scene;

#[tokio::test]
async fn a_restricted_key_is_told_which_permission_it_lacks() {
    let s = scene().await;
    let (_, subscription) = s.quiet_subscription().await;
    let allowed = json!({ "subscriptions": "read", "prices": "write", "customers": "none" });
    let key = s.control.create_key("rk_test", Some(allowed)).await.unwrap();
    assert_eq!((key.len(), &key[..10]), (107, "rk_test_51"));
    for (path, status, permission) in [
        ("/subscriptions".to_owned(), 200, ""),
        ("/prices".to_owned(), 200, ""),
        ("/customers".to_owned(), 403, "rak_customer_read"),
        ("/checkout/sessions".to_owned(), 403, "rak_checkout_session_read"),
        ("/refunds".to_owned(), 403, "rak_charge_read"),
        ("/account".to_owned(), 403, "rak_accounts_kyc_basic_read"),
        // Expanding reads too.
        (format!("/subscriptions/{subscription}?expand[]=customer"), 403, "rak_customer_read"),
    ] {
        let (answered, body) = s.get_with(&key, &path).await;
        let message = body["error"]["message"].as_str().unwrap_or_default();
        assert_eq!(answered, status, "{path}: {message}");
        assert!(message.contains(&format!("'{permission}'")) || status == 200, "{path}: {message}");
    }
    let (_, body) = s.get_with(&key, "/customers").await;
    let shown = format!("rk_test_{}{}", "*".repeat(95), &key[key.len() - 4..]);
    assert_eq!(
        body["error"]["message"],
        format!(
            "The provided key '{shown}' does not have the required permissions for this endpoint on account \
         'acct_1SandboxNexrole'. Having the 'rak_customer_read' permission would allow this request to continue."
        )
    );
    let log = body["error"]["request_log_url"].as_str().unwrap();
    assert!(log.starts_with("https://dashboard.stripe.com/test/logs/req_"), "{log}");

    s.control.change_key(&key, json!({ "permissions": { "customers": "read" } })).await.unwrap();
    assert_eq!((s.get_with(&key, "/customers").await.0, s.get_with(&key, "/prices").await.0), (200, 403));
    assert!(s.control.create_key("rk_test", Some(json!({ "unicorns": "read" }))).await.is_err());
    assert!(s.control.create_key("pk_test", None).await.is_err());
}

#[tokio::test]
async fn a_key_that_is_over_opens_nothing() {
    let s = scene().await;
    let key = s.control.create_key("sk_test", None).await.unwrap();
    assert_eq!(s.get_with(&key, "/customers").await.0, 200);
    for (state, code, start) in [
        ("expired", Some("api_key_expired"), "Expired API Key provided: sk_test_***"),
        ("revoked", None, "Invalid API Key provided: sk_test_***"),
    ] {
        s.control.change_key(&key, json!({ "state": state })).await.unwrap();
        let (status, body) = s.get_with(&key, "/customers").await;
        let error = &body["error"];
        assert_eq!((status, error["code"].as_str()), (401, code));
        assert!(error["message"].as_str().unwrap().starts_with(start), "{error}");
    }
    s.control.change_key(&key, json!({ "state": "active" })).await.unwrap();
    assert_eq!(s.get_with(&key, "/customers").await.0, 200);
}

#[tokio::test]
async fn live_and_test_mode_do_not_see_each_other() {
    let mut s = scene().await;
    let live = s.control.create_key("rk_live", None).await.unwrap();
    let customer = s.control.create_live_customer("ana@example.com").await.unwrap();
    let event = s.received().await.json();
    assert_eq!((&event["livemode"], &event["data"]["object"]["livemode"]), (&json!(true), &json!(true)));
    let path = format!("/customers/{customer}");
    assert_eq!(s.get_with(&live, &path).await.1["livemode"], true);
    let (status, body) = s.get(&path).await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("resource_missing")));
    assert_eq!(
        body["error"]["message"],
        format!(
            "No such customer: '{customer}'; a similar object exists in live mode, but a test mode key was used to make \
         this request."
        )
    );
    for (key, count) in [(live.as_str(), 1), (sandbox::stripe::KEY, 0)] {
        for list in ["/customers", "/events"] {
            let (_, page) = s.get_with(key, list).await;
            assert_eq!(page["data"].as_array().map(Vec::len), Some(count), "{list}");
        }
    }
}

#[tokio::test]
async fn bad_parameters_are_named() {
    let s = scene().await;
    for (path, code, param, message) in [
        (
            "/customers?limit=0",
            Value::Null,
            "limit",
            "This value must be greater than or equal to 1 (it currently is '0').",
        ),
        (
            "/customers?limit=101",
            Value::Null,
            "limit",
            "This value must be less than or equal to 100 (it currently is '101').",
        ),
        ("/customers?limit=many", json!("parameter_invalid_integer"), "limit", "Invalid integer: many"),
        ("/customers?colour=red", json!("parameter_unknown"), "colour", "Received unknown parameter: colour"),
        (
            "/customers?created[around]=1",
            json!("parameter_unknown"),
            "created[around]",
            "Received unknown parameter: created[around]",
        ),
        ("/prices?active=maybe", Value::Null, "active", "Invalid boolean: maybe"),
        ("/customers/cus_1?limit=1&x=1", json!("parameter_unknown"), "x", "Received unknown parameter: x"),
        (
            "/subscription_items",
            json!("parameter_missing"),
            "subscription",
            "Missing required param: subscription.",
        ),
    ] {
        let (status, body) = s.get(path).await;
        let error = &body["error"];
        assert_eq!((status, &error["code"], &error["param"]), (400, &code, &json!(param)), "{path}");
        assert_eq!(
            (&error["message"], &error["type"]),
            (&json!(message), &json!("invalid_request_error")),
            "{path}"
        );
        assert_eq!(error["doc_url"].is_string(), code.is_string(), "{path}");
    }
    let both = "/customers?starting_after=cus_1&ending_before=cus_2";
    assert_eq!(s.get(both).await.0, 400);
    let (_, body) = s.get("/customers?ending_before=cus_2").await;
    assert_eq!(
        (&body["error"]["param"], &body["error"]["code"]),
        (&json!("ending_before"), &json!("resource_missing"))
    );
}

#[tokio::test]
async fn too_many_calls_and_locked_objects_are_told_apart() {
    let s = scene().await;
    s.control.rate_limit("endpoint-rate", 1).await.unwrap();
    s.control.lock_timeout().await.unwrap();
    let mut told = Vec::new();
    for _ in 0..3 {
        let url = format!("{}/v1/customers", s.running.url);
        let answer = s.client.get(url).bearer_auth(sandbox::stripe::KEY).send().await.unwrap();
        let reason = answer
            .headers()
            .get("stripe-rate-limited-reason")
            .map(|reason| reason.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        told.push((status, reason, body["error"]["code"].as_str().map(ToOwned::to_owned)));
    }
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        told,
        [
            (429, some("endpoint-rate"), some("rate_limit")),
            (429, some("resource-specific"), some("lock_timeout")),
            (200, None, None),
        ]
    );
}
