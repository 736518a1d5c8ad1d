//! How events arrive: doubled, forged, shuffled, and while Stripe's API is down.

use anyhow::{Context, ensure};
use sandbox::stripe::{Fault, Mode};
use serde_json::json;

use crate::demo::stage::{Fan, Stage};

pub(super) async fn duplicate(stage: &Stage) -> anyhow::Result<String> {
    const COPIES: usize = 100;
    let ben = stage.fan("Ben").await?;
    stage.until_settled(&ben).await?;
    stage.stripe.delivery(Mode::Hold).await?;
    stage.stripe.subscribe(&ben.customer, &stage.price).await?;
    let event = event_about(stage, &ben, "customer.subscription.created").await?;
    let answers = stage.stripe.deliver(&event, COPIES, true).await?;
    let accepted = answers.iter().filter(|answer| answer.status == 200).count();
    let new = answers.iter().filter(|answer| answer.body["duplicate"] == json!(false)).count();
    ensure!(accepted == COPIES && new == 1, "{accepted} answers were 200, {new} of them said it was new");
    stage.until_vip(&ben).await?;
    let recorded: i64 = sqlx::query_scalar("SELECT count(*) FROM stripe_events WHERE event_id = $1")
        .bind(&event)
        .fetch_one(&stage.db)
        .await?;
    let jobs = stage.count("SELECT count(*) FROM role_jobs WHERE user_id = $1", &ben).await?;
    ensure!((recorded, jobs) == (1, 1), "{recorded} events recorded, {jobs} jobs made");
    stage.stripe.delivery(Mode::Live).await?;
    stage.stripe.release(&[]).await?;
    stage.until_settled(&ben).await?;
    Ok(format!("{COPIES} × 200, one of them new: one event recorded, one job, one role"))
}

pub(super) async fn forged(stage: &Stage) -> anyhow::Result<String> {
    let rows = "SELECT (SELECT count(*) FROM stripe_events) + (SELECT count(*) FROM stripe_sync)";
    let count = async || Ok::<i64, anyhow::Error>(sqlx::query_scalar(rows).fetch_one(&stage.db).await?);
    let before = count().await?;
    let body = json!({ "id": "evt_forged", "object": "event", "type": "customer.subscription.created", "livemode": false,
                       "data": { "object": { "id": "sub_forged", "object": "subscription" } } })
    .to_string();
    let signed = stage.stripe.sign(body.as_bytes()).await?;
    let now = time_of(&signed)?;
    let wrong = format!("t={now},v1={}", "0".repeat(64));
    let stolen = stage.stripe.sign(b"another body").await?;
    let mut answers = Vec::new();
    for signature in [None, Some("t=1,v1=nonsense"), Some(wrong.as_str()), Some(stolen.as_str())] {
        let mut request = stage.http.post(&stage.webhook_url).body(body.clone());
        if let Some(signature) = signature {
            request = request.header("Stripe-Signature", signature);
        }
        let response = request.send().await?;
        answers.push((response.status().as_u16(), response.text().await?));
    }
    let same = answers.windows(2).all(|pair| pair[0] == pair[1]);
    ensure!(same && answers[0].0 == 400, "the answers were {answers:?}");
    let after = count().await?;
    ensure!(before == after, "{} rows were written", after - before);
    Ok("no, malformed, wrong and stolen signature: 400 four times, word for word the same, and nothing written".to_owned())
}

pub(super) async fn out_of_order(stage: &Stage) -> anyhow::Result<String> {
    let (cleo, carl) = (stage.fan("Cleo").await?, stage.fan("Carl").await?);
    stage.until_settled(&cleo).await?;
    stage.stripe.delivery(Mode::Hold).await?;
    let before = stage.stripe.events().await?.len();
    // Cleo subscribes and cancels; Carl's payment fails, and recovers.
    let ended = stage.stripe.subscribe(&cleo.customer, &stage.price).await?;
    stage.stripe.cancel(&ended).await?;
    let running = stage.stripe.subscribe(&carl.customer, &stage.price).await?;
    for status in ["past_due", "unpaid", "active"] {
        stage.stripe.set_subscription(&running, json!({ "status": status })).await?;
    }
    let events = stage.stripe.events().await?;
    let mut backwards: Vec<String> =
        events[before..].iter().filter_map(|event| Some(event["id"].as_str()?.to_owned())).collect();
    backwards.reverse();
    stage.stripe.delivery(Mode::Live).await?;
    let released = stage.stripe.release(&backwards).await?;
    ensure!(released.iter().all(|event| event.status == Some(200)), "not every event was accepted");
    stage.until_vip(&carl).await?;
    stage.until_settled(&cleo).await?;
    ensure!(!stage.has_vip(&cleo).await?, "Cleo has VIP, though she cancelled");
    let history = stage.role_history(&carl).await?;
    ensure!(history == ["role.granted"], "the audit log says {history:?} of Carl");
    Ok(format!(
        "{} events backwards: Cleo, who cancelled, has no role; Carl, who pays, has it",
        backwards.len()
    ))
}

pub(super) async fn stripe_down(stage: &Stage) -> anyhow::Result<String> {
    let dan = stage.fan("Dan").await?;
    let subscription = stage.stripe.subscribe(&dan.customer, &stage.price).await?;
    stage.until_vip(&dan).await?;
    stage.stripe.fault(Fault::status(500).on("GET", "/v1/subscriptions").times(1)).await?;
    stage.stripe.cancel(&subscription).await?;
    let failed = "SELECT count(*) FROM stripe_sync WHERE attempts > 0 AND $1 > 0";
    stage.until("a read has failed", async || Ok(stage.count(failed, &dan).await? == 1)).await?;
    ensure!(stage.has_vip(&dan).await?, "Dan lost his role because of an error");
    let took = stage.until_no_vip(&dan).await?;
    stage.stripe.clear_faults().await?;
    Ok(format!(
        "the error changed nothing; {:.1} s later Stripe answered that he cancelled, and only then VIP went",
        took.as_secs_f64()
    ))
}

/// The event that Stripe has made about a fan's subscription.
async fn event_about(stage: &Stage, fan: &Fan, event_type: &str) -> anyhow::Result<String> {
    let events = stage.stripe.events().await?;
    let about = |event: &&serde_json::Value| {
        event["type"] == event_type && event["data"]["object"]["customer"] == fan.customer.as_str()
    };
    let event = events.iter().find(about).context("Stripe made no such event")?;
    Ok(event["id"].as_str().context("the event has no id")?.to_owned())
}

/// The `t` of a signature that the sandbox made just now.
fn time_of(header: &str) -> anyhow::Result<&str> {
    let t = header.split(',').find_map(|pair| pair.strip_prefix("t="));
    t.context("the sandbox's signature has no time")
}
