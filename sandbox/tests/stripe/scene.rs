//! A sandbox and a receiver for its webhooks. In: nothing. Out: both, and the calls the tests make.

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
use sandbox::stripe::{Control, KEY, Mode, Options, serve};
use serde_json::Value;
use tokio::sync::mpsc;

pub(crate) const SECRET: &str = "whsec_test";

/// What a webhook endpoint received.
pub(crate) struct Received {
    pub(crate) signature: String,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
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
pub(crate) struct Scene {
    pub(crate) running: Running,
    pub(crate) control: Control,
    pub(crate) client: Client,
    pub(crate) inbox: mpsc::UnboundedReceiver<Received>,
    pub(crate) failures: Arc<Mutex<VecDeque<StatusCode>>>,
    pub(crate) webhook_url: String,
}

pub(crate) async fn scene() -> Scene {
    let (seen, inbox) = mpsc::unbounded_channel();
    let failures = Arc::<Mutex<VecDeque<StatusCode>>>::default();
    let endpoint = Endpoint { seen, failures: failures.clone() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let webhook_url = Some(format!("http://{}/hook", listener.local_addr().unwrap()));
    let router = Router::new().route("/hook", post(receive)).with_state(endpoint);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let url = webhook_url.clone().unwrap();
    let options = Options { port: 0, webhook_url, webhook_secret: Some(SECRET.to_owned()) };
    let running = serve(options).await.unwrap();
    let control = Control::new(&running.url);
    let client = Client::builder().timeout(Duration::from_secs(5)).no_proxy().build().unwrap();
    Scene { running, control, client, inbox, failures, webhook_url: url }
}

impl Scene {
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let call = self.client.get(format!("{}/v1{path}", self.running.url)).bearer_auth(KEY);
        let answer = call.send().await.unwrap();
        assert!(answer.headers()["request-id"].to_str().unwrap().starts_with("req_"));
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub(crate) async fn get_with(&self, key: &str, path: &str) -> (u16, Value) {
        let call = self.client.get(format!("{}/v1{path}", self.running.url)).bearer_auth(key);
        let answer = call.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub(crate) async fn received(&mut self) -> Received {
        let next = tokio::time::timeout(Duration::from_secs(5), self.inbox.recv()).await;
        next.expect("a delivery").unwrap()
    }

    /// A customer with a subscription, created without any delivery.
    pub(crate) async fn quiet_subscription(&self) -> (String, String) {
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

pub(crate) fn ids(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|object| object["id"].as_str().unwrap()).collect()
}
