//! What happens at Discord: people's roles, limits, leaving, the order of roles, a crash in mid-job, a command.

use std::time::Duration;

use anyhow::ensure;
use sandbox::discord::Fault;
use serde_json::json;

use crate::demo::stage::Stage;

pub(super) async fn humans_role(stage: &Stage) -> anyhow::Result<String> {
    let gus = stage.fan("Gus").await?;
    stage.discord.give_role(stage.guild, gus.user, stage.vip).await?;
    let subscription = stage.stripe.subscribe(&gus.customer, &stage.price).await?;
    let ended = "SELECT count(*) FROM role_jobs WHERE user_id = $1 AND state = 'noop'";
    stage.until("his payment is looked at", async || Ok(stage.count(ended, &gus).await? == 1)).await?;
    stage.stripe.cancel(&subscription).await?;
    stage.until("his cancellation is looked at", async || Ok(stage.count(ended, &gus).await? == 2)).await?;
    stage.until_settled(&gus).await?;
    ensure!(stage.has_vip(&gus).await?, "the role that a moderator gave was taken");
    let calls = calls_about(stage, gus.user).await?;
    ensure!(calls == 0, "{calls} calls were made for a role that is not ours");
    Ok("he paid and cancelled; the role that a person gave was never touched".to_owned())
}

pub(super) async fn rate_limit(stage: &Stage) -> anyhow::Result<String> {
    let hal = stage.fan("Hal").await?;
    let limited = Fault::status(429)
        .on("PUT", &format!("/members/{}/roles/", hal.user))
        .times(2)
        .header("Retry-After", "1")
        .header("X-RateLimit-Scope", "user")
        .body(json!({ "message": "You are being rate limited.", "retry_after": 0.8, "global": false }));
    stage.discord.fault(limited).await?;
    stage.stripe.subscribe(&hal.customer, &stage.price).await?;
    let took = stage.until_vip(&hal).await?;
    ensure!(took >= Duration::from_secs(2), "two waits of a second took only {took:?}");
    let spent = stage
        .count("SELECT coalesce(max(attempts), 0)::bigint FROM role_jobs WHERE user_id = $1", &hal)
        .await?;
    ensure!(spent == 0, "{spent} attempts were spent on being told to wait");
    let calls = calls_about(stage, hal.user).await?;
    ensure!(calls == 3, "{calls} calls instead of two refused ones and one that worked");
    Ok(format!("429 twice: waited as told, no attempt spent, VIP after {:.1} s", took.as_secs_f64()))
}

pub(super) async fn rejoin(stage: &Stage) -> anyhow::Result<String> {
    let ida = stage.fan("Ida").await?;
    stage.stripe.subscribe(&ida.customer, &stage.price).await?;
    stage.until_vip(&ida).await?;
    stage.discord.leave(stage.guild, ida.user).await?;
    let waiting = "SELECT count(*) FROM role_jobs WHERE user_id = $1 AND state = 'parked'";
    stage.until("her leaving is noticed", async || Ok(stage.count(waiting, &ida).await? == 1)).await?;
    stage.discord.rejoin(stage.guild, ida.user).await?;
    let took = stage.until_vip(&ida).await?;
    let history = stage.role_history(&ida).await?;
    ensure!(history == ["role.granted", "role.lost", "role.granted"], "the audit log says {history:?}");
    Ok(format!("VIP again {} ms after she came back", took.as_millis()))
}

pub(super) async fn not_joined(stage: &Stage) -> anyhow::Result<String> {
    let jo = stage.fan("Jo").await?;
    stage.discord.leave(stage.guild, jo.user).await?;
    stage.stripe.subscribe(&jo.customer, &stage.price).await?;
    let waiting = "SELECT count(*) FROM role_jobs WHERE user_id = $1 AND state = 'parked'";
    stage.until("the payment waits for Jo", async || Ok(stage.count(waiting, &jo).await? == 1)).await?;
    stage.discord.rejoin(stage.guild, jo.user).await?;
    let took = stage.until_vip(&jo).await?;
    Ok(format!("the job waited; VIP {} ms after joining", took.as_millis()))
}

pub(super) async fn role_order(stage: &Stage) -> anyhow::Result<String> {
    let (kim, lee) = (stage.fan("Kim").await?, stage.fan("Lee").await?);
    stage.discord.set_role(stage.guild, stage.vip, json!({ "position": 90 })).await?;
    stage.stripe.subscribe(&kim.customer, &stage.price).await?;
    let waiting = "SELECT count(*) FROM role_jobs WHERE user_id = $1 AND state = 'parked'";
    stage.until("Kim's job is parked", async || Ok(stage.count(waiting, &kim).await? == 1)).await?;
    stage.stripe.subscribe(&lee.customer, &stage.price).await?;
    stage.until("Lee's job is parked", async || Ok(stage.count(waiting, &lee).await? == 1)).await?;
    let calls = calls_about(stage, kim.user).await? + calls_about(stage, lee.user).await?;
    ensure!(calls == 1, "{calls} calls for a role that Discord refuses; one finds out");
    stage.discord.set_role(stage.guild, stage.vip, json!({ "position": 1 })).await?;
    stage.until_vip(&kim).await?;
    stage.until_vip(&lee).await?;
    Ok("one refused call, then both jobs waited; when the owner moved the role down, both got it".to_owned())
}

pub(super) async fn crash(stage: &Stage) -> anyhow::Result<String> {
    let mia = stage.fan("Mia").await?;
    let silent = Fault::apply_then_hang().on("PUT", &format!("/members/{}/roles/", mia.user)).times(1);
    stage.discord.fault(silent).await?;
    stage.stripe.subscribe(&mia.customer, &stage.price).await?;
    stage.until("Discord has acted", async || stage.has_vip(&mia).await).await?;
    let unheard = stage
        .count("SELECT count(*) FROM role_grants WHERE user_id = $1 AND state = 'confirmed'", &mia)
        .await?;
    ensure!(unheard == 0, "the bot had its answer already, so this was no crash in mid-job");
    stage.kill_bot().await?;
    stage.discord.clear_faults().await?;
    stage.start_bot().await?;
    stage.until_vip(&mia).await?;
    let granted = stage
        .count("SELECT count(*) FROM role_grants WHERE user_id = $1 AND state = 'confirmed'", &mia)
        .await?;
    let history = stage.role_history(&mia).await?;
    ensure!(
        granted == 1 && history == ["role.granted"],
        "{granted} grants in the books, the audit log says {history:?}"
    );
    let written =
        stage.discord.audit_log(stage.guild).await?.iter().filter(|entry| entry.user_id == mia.user).count();
    ensure!(written == 1, "Discord's audit log has {written} entries");
    Ok("kill -9, restart: the books were put right with one grant and one audit entry, and the role is hers"
        .to_owned())
}

pub(super) async fn status(stage: &Stage) -> anyhow::Result<String> {
    let owner = stage.discord.join(stage.guild, "Owner").await?;
    let answer = stage.discord.interact(stage.guild, owner, "status").await?;
    ensure!(
        answer.callback["type"] == 5 && answer.callback["data"]["flags"] == 64,
        "the callback was {}",
        answer.callback
    );
    let text = answer.text();
    ensure!(
        text.contains("Nexrole in this server") && text.contains("1 price or product"),
        "the answer was {text:?}"
    );
    Ok(text.replace('\n', " · "))
}

/// Role calls that the bot made about a member.
async fn calls_about(stage: &Stage, user: u64) -> anyhow::Result<usize> {
    let route = format!("/members/{user}/roles/");
    let requests = stage.discord.requests().await?;
    Ok(requests.iter().filter(|request| request.path.contains(&route)).count())
}
