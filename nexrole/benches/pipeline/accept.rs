//! The gateway under signed events. In: how many. Out: how many a second it acknowledged, and what one cost.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hmac::{Hmac, KeyInit, Mac};
use nexrole::children::Service;
use serde_json::json;
use sha2::Sha256;
use tokio::task::JoinSet;

use crate::{
    fixture::{Fixture, SECRET},
    process,
    report::Figures,
};

const CONNECTIONS: usize = 16;
const PATIENCE: Duration = Duration::from_secs(30);

/// A body and its signature, made before the clock runs.
#[derive(Clone)]
struct Signed {
    body: Vec<u8>,
    signature: String,
}

pub(crate) async fn measure(
    fixture: &Fixture<'_>,
    events: usize,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let gateway = fixture.start(Service::Gateway).await?;
    figures.memory("gateway, idle", process::memory(&gateway)?);
    let http = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build()?;

    eprint!(", accepting");
    // The connections are open, and every statement is prepared, before it counts.
    at_once(fixture, &http, "warm", events / 20).await?;
    all_read(fixture).await?;
    fixture.postgres.reset_counts().await?;
    let before = process::processor_time(&gateway)?;
    let took = at_once(fixture, &http, "burst", events).await?;
    figures.rate("accepted events", events, took);
    all_read(fixture).await?;
    figures.processor("accepted event, with reads", events, process::processor_time(&gateway)? - before);

    eprint!(", reading");
    let few = events / 20;
    fixture.postgres.reset_counts().await?;
    let before = process::processor_time(&gateway)?;
    let began = Instant::now();
    for signed in sign(fixture, "single", few)? {
        send(&http, &fixture.webhook(), signed).await?;
        all_read(fixture).await?;
    }
    figures.rate("events read one by one", few, began.elapsed());
    figures.processor("event read by itself", few, process::processor_time(&gateway)? - before);
    figures.counts("event read by itself", few, fixture.postgres.counts().await?);

    let recorded = fixture.number("SELECT /* benchmark */ count(*) FROM stripe_events").await?;
    let sent = i64::try_from(events + 2 * few)?;
    ensure!(recorded >= sent, "{sent} events were acknowledged, and {recorded} are recorded");
    figures.peak("gateway", process::memory(&gateway)?);
    gateway.stop().await
}

/// Sends new events from several connections; how long until the last was acknowledged.
async fn at_once(
    fixture: &Fixture<'_>,
    http: &reqwest::Client,
    name: &str,
    events: usize,
) -> anyhow::Result<Duration> {
    let signed = sign(fixture, name, events)?;
    let webhook = fixture.webhook();
    let mut senders = JoinSet::new();
    let began = Instant::now();
    for share in signed.chunks(events.div_ceil(CONNECTIONS).max(1)) {
        let (share, http, webhook) = (share.to_vec(), http.clone(), webhook.clone());
        senders.spawn(async move {
            for signed in share {
                send(&http, &webhook, signed).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = senders.join_next().await {
        ended.context("a sender ended by a panic")??;
    }
    Ok(began.elapsed())
}

async fn send(http: &reqwest::Client, webhook: &str, signed: Signed) -> anyhow::Result<()> {
    let request = http.post(webhook).header("Stripe-Signature", signed.signature).body(signed.body);
    let answer = request.send().await.context("the gateway does not answer")?;
    let status = answer.status();
    let text = answer.text().await?;
    ensure!(status == 200, "the gateway answered {status} to a signed event: {text}");
    Ok(())
}

/// Every accepted event is answered by a read at Stripe.
async fn all_read(fixture: &Fixture<'_>) -> anyhow::Result<()> {
    let unread = "SELECT /* benchmark */ count(*) FROM stripe_events WHERE state = 'recorded'";
    fixture.until("every event is read", async || Ok(fixture.number(unread).await? == 0)).await
}

fn sign(fixture: &Fixture<'_>, name: &str, events: usize) -> anyhow::Result<Vec<Signed>> {
    let now = shared::clock::now().unix_timestamp();
    let one = |(number, subscription): (usize, &String)| {
        let event = json!({
            "id": format!("evt_{name}x{number}"), "object": "event", "type": "customer.subscription.updated",
            "api_version": "2025-09-30.clover", "created": now, "livemode": false,
            "data": { "object": { "id": subscription, "object": "subscription" } },
        });
        let body = serde_json::to_vec(&event)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())?;
        mac.update(format!("{now}.").as_bytes());
        mac.update(&body);
        let signature = format!("t={now},v1={}", hex::encode(mac.finalize().into_bytes()));
        Ok(Signed { body, signature })
    };
    (0..events).zip(fixture.subscriptions.iter().cycle()).map(one).collect()
}
