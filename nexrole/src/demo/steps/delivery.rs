//! How events arrive: doubled, forged, shuffled, and while Stripe's API is down.

use anyhow::{Context, ensure};
use sandbox::stripe::{Fault, Mode};
use serde_json::json;

use crate::{
    demo::setup::Setup,
    scenario::{Member, until},
};

pub(super) async fn duplicate(setup: &Setup) -> anyhow::Result<String> {
    const COPIES: usize = 100;
    let ben = setup.member("Ben").await?;
    setup.settle().await?;
    setup.stripe.delivery(Mode::Hold).await?;
    setup.stripe.subscribe(&ben.customer, &setup.price).await?;
    let event = event_about(setup, &ben, "customer.subscription.created").await?;
    let answers = setup.stripe.deliver(&event, COPIES, true).await?;
    let accepted = answers.iter().filter(|answer| answer.status == 200).count();
    let new = answers.iter().filter(|answer| answer.body["duplicate"] == json!(false)).count();
    ensure!(accepted == COPIES && new == 1, "{accepted} answers were 200, {new} of them said it was new");
    setup.until_vip(&ben).await?;
    let recorded: i64 = sqlx::query_scalar("SELECT count(*) FROM stripe_events WHERE event_id = $1")
        .bind(&event)
        .fetch_one(&setup.db)
        .await?;
    let jobs = setup.count("SELECT count(*) FROM role_jobs WHERE user_id = $1", &ben).await?;
    ensure!((recorded, jobs) == (1, 1), "{recorded} events recorded, {jobs} jobs made");
    setup.stripe.delivery(Mode::Live).await?;
    setup.stripe.release(&[]).await?;
    setup.settle().await?;
    Ok(format!("{COPIES} × 200, one of them new: one event recorded, one job, one role"))
}

pub(super) async fn webhook_lost(setup: &Setup) -> anyhow::Result<String> {
    let pam = setup.member("Pam").await?;
    setup.settle().await?;
    setup.stripe.delivery(Mode::Drop).await?;
    setup.stripe.subscribe(&pam.customer, &setup.price).await?;
    setup.stripe.delivery(Mode::Live).await?;
    let heard = setup.count("SELECT count(*) FROM access_sources WHERE user_id = $1", &pam).await?;
    ensure!(heard == 0 && !setup.has_vip(&pam).await?, "Pam was heard of though no webhook came");
    // Ten minutes later.
    sqlx::query("UPDATE stripe_cursors SET next_poll_at = now()").execute(&setup.db).await?;
    setup.until_vip(&pam).await?;
    Ok("no webhook came, and Stripe does not know: the next poll of its list of events found her".to_owned())
}

pub(super) async fn forged(setup: &Setup) -> anyhow::Result<String> {
    let rows = "SELECT (SELECT count(*) FROM stripe_events) + (SELECT count(*) FROM stripe_sync)";
    let count = async || Ok::<i64, anyhow::Error>(sqlx::query_scalar(rows).fetch_one(&setup.db).await?);
    let before = count().await?;
    let body = json!({ "id": "evt_forged", "object": "event", "type": "customer.subscription.created", "livemode": false,
                       "data": { "object": { "id": "sub_forged", "object": "subscription" } } })
    .to_string();
    let signed = setup.stripe.sign(body.as_bytes()).await?;
    let now = time_of(&signed)?;
    let wrong = format!("t={now},v1={}", "0".repeat(64));
    let stolen = setup.stripe.sign(b"another body").await?;
    let mut answers = Vec::new();
    for signature in [None, Some("t=1,v1=nonsense"), Some(wrong.as_str()), Some(stolen.as_str())] {
        let mut request = setup.http.post(setup.webhook_url()).body(body.clone());
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

pub(super) async fn out_of_order(setup: &Setup) -> anyhow::Result<String> {
    let (cleo, carl) = (setup.member("Cleo").await?, setup.member("Carl").await?);
    setup.settle().await?;
    setup.stripe.delivery(Mode::Hold).await?;
    let before = setup.stripe.events().await?.len();
    // Cleo subscribes and cancels; Carl's payment fails, and recovers.
    let ended = setup.stripe.subscribe(&cleo.customer, &setup.price).await?;
    setup.stripe.cancel(&ended).await?;
    let running = setup.stripe.subscribe(&carl.customer, &setup.price).await?;
    for status in ["past_due", "unpaid", "active"] {
        setup.stripe.set_subscription(&running, json!({ "status": status })).await?;
    }
    let events = setup.stripe.events().await?;
    let mut backwards: Vec<String> =
        events[before..].iter().filter_map(|event| Some(event["id"].as_str()?.to_owned())).collect();
    backwards.reverse();
    setup.stripe.delivery(Mode::Live).await?;
    let released = setup.stripe.release(&backwards).await?;
    ensure!(released.iter().all(|event| event.status == Some(200)), "not every event was accepted");
    setup.until_vip(&carl).await?;
    ensure!(!setup.has_vip(&cleo).await?, "Cleo has VIP, though she cancelled");
    let history = setup.role_history(&carl).await?;
    ensure!(history == ["role.granted"], "the audit log says {history:?} of Carl");
    Ok(format!(
        "{} events backwards: Cleo, who cancelled, has no role; Carl, who pays, has it",
        backwards.len()
    ))
}

pub(super) async fn stripe_down(setup: &Setup) -> anyhow::Result<String> {
    let dan = setup.member("Dan").await?;
    let subscription = setup.stripe.subscribe(&dan.customer, &setup.price).await?;
    setup.until_vip(&dan).await?;
    setup.stripe.fault(Fault::status(500).on("GET", "/v1/subscriptions").times(1)).await?;
    setup.stripe.cancel(&subscription).await?;
    let failed = "SELECT count(*) FROM stripe_sync WHERE attempts > 0 AND $1 > 0";
    until("a read has failed", async || Ok(setup.count(failed, &dan).await? == 1)).await?;
    ensure!(setup.has_vip(&dan).await?, "Dan lost his role because of an error");
    let took = setup.until_no_vip(&dan).await?;
    setup.stripe.clear_faults().await?;
    Ok(format!(
        "the error changed nothing; {:.1} s later Stripe answered that he cancelled, and only then VIP went",
        took.as_secs_f64()
    ))
}

/// The event that Stripe has made about a member's subscription.
async fn event_about(setup: &Setup, member: &Member, event_type: &str) -> anyhow::Result<String> {
    let events = setup.stripe.events().await?;
    let about = |event: &&serde_json::Value| {
        event["type"] == event_type && event["data"]["object"]["customer"] == member.customer.as_str()
    };
    let event = events.iter().find(about).context("Stripe made no such event")?;
    Ok(event["id"].as_str().context("the event has no id")?.to_owned())
}

/// The `t` of a signature that the sandbox made just now.
fn time_of(header: &str) -> anyhow::Result<&str> {
    let t = header.split(',').find_map(|pair| pair.strip_prefix("t="));
    t.context("the sandbox's signature has no time")
}
