//! The fake Stripe over real HTTP. In: reads as the product makes them, and a receiver for its webhooks.
//! Out: what Stripe would answer and deliver.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use reqwest::Client;
use sandbox::Running;
use sandbox::stripe::{Control, Fault, KEY, Mode, Options, serve};
use serde_json::{Value, json};
use tokio::sync::mpsc;

const SECRET: &str = "whsec_test";

/// What a webhook endpoint received.
struct Received {
    signature: String,
    body: Bytes,
}

impl Received {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Clone)]
struct Endpoint {
    seen: mpsc::UnboundedSender<Received>,
    /// Answers to give before 200 becomes the rule.
    failures: Arc<Mutex<VecDeque<StatusCode>>>,
}

async fn receive(State(endpoint): State<Endpoint>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers["stripe-signature"].to_str().unwrap().to_owned();
    endpoint.seen.send(Received { signature, body }).unwrap();
    endpoint.failures.lock().unwrap().pop_front().unwrap_or(StatusCode::OK)
}

/// A sandbox that delivers to a receiver in this process.
struct Scene {
    running: Running,
    control: Control,
    client: Client,
    inbox: mpsc::UnboundedReceiver<Received>,
    failures: Arc<Mutex<VecDeque<StatusCode>>>,
}

async fn scene() -> Scene {
    let (seen, inbox) = mpsc::unbounded_channel();
    let failures = Arc::<Mutex<VecDeque<StatusCode>>>::default();
    let endpoint = Endpoint { seen, failures: failures.clone() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let webhook_url = Some(format!("http://{}/hook", listener.local_addr().unwrap()));
    let router = Router::new().route("/hook", post(receive)).with_state(endpoint);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let options = Options { port: 0, webhook_url, webhook_secret: Some(SECRET.to_owned()) };
    let running = serve(options).await.unwrap();
    let control = Control::new(&running.url);
    let client = Client::builder().timeout(Duration::from_secs(5)).no_proxy().build().unwrap();
    Scene { running, control, client, inbox, failures }
}

impl Scene {
    async fn get(&self, path: &str) -> (u16, Value) {
        let call = self.client.get(format!("{}/v1{path}", self.running.url)).bearer_auth(KEY);
        let answer = call.send().await.unwrap();
        assert!(answer.headers()["request-id"].to_str().unwrap().starts_with("req_"));
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn received(&mut self) -> Received {
        let next = tokio::time::timeout(Duration::from_secs(5), self.inbox.recv()).await;
        next.expect("a delivery").unwrap()
    }

    /// A customer with a subscription, created without any delivery.
    async fn quiet_subscription(&self) -> (String, String) {
        self.control.delivery(Mode::Drop).await.unwrap();
        let product = self.control.create_product("VIP").await.unwrap();
        let price = self.control.create_price(&product, 500).await.unwrap();
        let metadata = [("discord_user_id", "123")];
        let customer = self.control.create_customer(Some("ana@example.com"), &metadata).await.unwrap();
        let subscription = self.control.subscribe(&customer, &price).await.unwrap();
        self.control.delivery(Mode::Live).await.unwrap();
        (customer, subscription)
    }
}

fn ids(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|object| object["id"].as_str().unwrap()).collect()
}

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
async fn a_payment_is_delivered_signed() {
    let mut s = scene().await;
    let customer = s.control.create_customer(None, &[]).await.unwrap();
    let received = s.received().await;
    let event = received.json();
    assert_eq!(
        (&event["type"], &event["data"]["object"]["id"]),
        (&json!("customer.created"), &json!(customer))
    );
    // Signing is deterministic for a given second, so the sandbox can vouch for its own header.
    let t: i64 = received.signature["t=".len()..].split(',').next().unwrap().parse().unwrap();
    let again = s.control.sign(&received.body).await.unwrap();
    let again_t: i64 = again["t=".len()..].split(',').next().unwrap().parse().unwrap();
    assert!(again_t >= t);
    if again_t == t {
        assert_eq!(again, received.signature);
    }
    let delivery = s.control.post_event(json!({ "id": "evt_own", "object": "event" })).await.unwrap();
    assert_eq!(delivery.status, 200);
    assert_eq!(s.received().await.json()["id"], "evt_own");
}

#[tokio::test]
async fn a_delivery_is_retried_until_it_is_accepted() {
    let mut s = scene().await;
    s.failures.lock().unwrap().extend([StatusCode::SERVICE_UNAVAILABLE, StatusCode::FOUND]);
    s.control.create_customer(None, &[]).await.unwrap();
    let mut bodies = Vec::new();
    for _ in 0..3 {
        bodies.push(s.received().await.body);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    let attempts = loop {
        let attempts = s.control.deliveries().await.unwrap();
        if attempts.len() == 3 {
            break attempts;
        }
        tokio::task::yield_now().await;
    };
    let statuses: Vec<_> = attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [Some(503), Some(302), Some(200)]);
}

#[tokio::test]
async fn held_events_are_released_in_the_order_asked_for() {
    let mut s = scene().await;
    let (customer, subscription) = s.quiet_subscription().await;
    s.control.delivery(Mode::Hold).await.unwrap();
    s.control.set_subscription(&subscription, json!({ "status": "past_due" })).await.unwrap();
    s.control.set_subscription(&subscription, json!({ "status": "active", "silent": true })).await.unwrap();
    s.control.delete_customer(&customer).await.unwrap();
    let events = s.control.events().await.unwrap();
    let held = &events[events.len() - 3..];
    let kinds: Vec<_> = held.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["customer.subscription.updated", "customer.subscription.deleted", "customer.deleted"]);
    assert_eq!(held[0]["data"]["previous_attributes"], json!({ "status": "active" }));

    let mut order: Vec<String> = held.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
    order.reverse();
    let released = s.control.release(&order[..2]).await.unwrap();
    assert!(released.iter().all(|released| released.status == Some(200)));
    s.control.release(&[]).await.unwrap();
    for expected in &order {
        assert_eq!(s.received().await.json()["id"], **expected);
    }

    let (_, gone) = s.get(&format!("/customers/{customer}")).await;
    assert_eq!(gone, json!({ "id": customer, "object": "customer", "deleted": true }));
    let copies = s.control.deliver(&order[0], 3, true).await.unwrap();
    assert_eq!(copies.iter().map(|copy| copy.status).collect::<Vec<_>>(), [200; 3]);
    let (_, page) = s.get("/events?types[]=customer.deleted&types[]=invoice.paid&limit=1").await;
    assert_eq!((ids(&page), &page["has_more"]), (vec![order[0].as_str()], &json!(true)));
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
