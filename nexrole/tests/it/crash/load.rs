//! Signed events from several senders at once, each sent again until it is acknowledged. In: a world with a gateway. Out: what
//! the senders were told, kept outside of everything that is killed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::{
    signing::sign,
    world::{SECRET, World},
};

const SENDERS: usize = 4;
const PAUSE: Duration = Duration::from_millis(15);

/// What the senders were told.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) acknowledged: Vec<String>,
    /// Per event, how often it was called new.
    new: BTreeMap<String, u32>,
    checked: usize,
}

impl Told {
    /// Events that were recorded as new more than once.
    pub(super) fn new_twice(&self) -> impl Iterator<Item = String> {
        let twice = self.new.iter().filter(|(_, times)| **times > 1);
        twice.map(|(event, times)| format!("{event} was new {times} times"))
    }
}

/// The senders at work.
pub(super) struct Load {
    told: Arc<Mutex<Told>>,
    stop: CancellationToken,
    senders: JoinSet<()>,
}

impl Load {
    /// Events about one subscription that never gives access: they keep the gateway writing and reading.
    pub(super) async fn start(world: &World) -> Self {
        let member = world.member().await;
        let params = json!({ "customer": member.customer, "prices": [world.price], "status": "incomplete" });
        let subscription = world.stripe.subscribe_with(params).await.expect("subscribes");
        let (told, stop, mut senders) = (Arc::default(), CancellationToken::new(), JoinSet::new());
        for number in 0..SENDERS {
            let sender = Sender {
                number,
                subscription: subscription.clone(),
                http: world.http.clone(),
                webhook: world.webhook(),
                told: Arc::clone(&told),
            };
            senders.spawn(sender.run(stop.clone()));
        }
        Self { told, stop, senders }
    }

    /// Acknowledged since the last call.
    pub(super) fn acknowledged_lately(&self) -> Vec<String> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = told.acknowledged[told.checked..].to_vec();
        told.checked = told.acknowledged.len();
        lately
    }

    /// Everybody's last event is acknowledged, too.
    pub(super) async fn stop(mut self) -> Told {
        self.stop.cancel();
        while let Some(ended) = self.senders.join_next().await {
            ended.expect("a sender does not panic");
        }
        std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Sender {
    number: usize,
    subscription: String,
    http: reqwest::Client,
    webhook: String,
    told: Arc<Mutex<Told>>,
}

impl Sender {
    async fn run(self, stop: CancellationToken) {
        for count in 0_u64.. {
            if stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
                return;
            }
            let id = format!("evt_sender{}x{count}", self.number);
            let event = json!({
                "id": id, "object": "event", "type": "customer.subscription.updated", "livemode": false,
                "data": { "object": { "id": self.subscription, "object": "subscription" } },
            });
            let body = serde_json::to_vec(&event).expect("JSON");
            while !self.send(&id, &body).await {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// One attempt; whether it was acknowledged.
    async fn send(&self, id: &str, body: &[u8]) -> bool {
        let request = self.http.post(&self.webhook).body(body.to_vec());
        // No answer, or one that was cut, is none.
        let Ok(response) = request.header("Stripe-Signature", sign(body, SECRET)).send().await else {
            return false;
        };
        let status = response.status();
        let answer: Value = response.json().await.unwrap_or_default();
        if status != 200 {
            return false;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.acknowledged.push(id.to_owned());
        if answer["duplicate"] == false {
            *told.new.entry(id.to_owned()).or_default() += 1;
        }
        true
    }
}
