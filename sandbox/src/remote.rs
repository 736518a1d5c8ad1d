//! The wire under both `Control` clients. In: a control call. Out: its JSON, or an error that quotes the refusal.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Client, Method, redirect};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Longer than the longest control call, which waits 10 s for a slash command's answer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A client that never leaves this machine by accident: no proxy, no redirects.
pub(crate) fn loopback_client(timeout: Duration) -> Client {
    Client::builder()
        .timeout(timeout)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .build()
        .expect("a client without special options always builds")
}

/// The control API of one running sandbox.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    client: Client,
    control: String,
}

impl Remote {
    /// Takes the sandbox's URL with or without `/_sandbox`.
    pub(crate) fn new(base_url: &str) -> Self {
        let base = base_url.trim_end_matches('/').trim_end_matches("/_sandbox");
        Self { client: loopback_client(TIMEOUT), control: format!("{base}/_sandbox") }
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.send(Method::GET, path, Vec::new()).await
    }

    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<T> {
        self.send(method, path, serde_json::to_vec(body)?).await
    }

    /// A call whose answer carries no news.
    pub(crate) async fn tell(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<()> {
        self.call::<Value>(method, path, body).await.map(drop)
    }

    /// A call with a body that must arrive byte for byte.
    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> anyhow::Result<T> {
        let what = format!("{method} /_sandbox{path}");
        let call = self.client.request(method, format!("{}{path}", self.control));
        let answer = call
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .with_context(|| what.clone())?;
        let status = answer.status();
        let text = answer.text().await.with_context(|| what.clone())?;
        if !status.is_success() {
            bail!("{what}: {status}: {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("{what}: unexpected answer {text}"))
    }
}
