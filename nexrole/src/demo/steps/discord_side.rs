//! What happens at Discord: people's roles, limits, leaving, the order of roles, a crash in mid-job, a command.

use std::time::Duration;

use anyhow::ensure;
use sandbox::discord::Fault;
use serde_json::json;

use crate::{demo::setup::Setup, scenario::until};

pub(super) async fn humans_role(setup: &Setup) -> anyhow::Result<String> {
    let gus = setup.member("Gus").await?;
    setup.discord.give_role(setup.guild, gus.user, setup.vip).await?;
    let subscription = setup.stripe.subscribe(&gus.customer, &setup.price).await?;
    let ended = "SELECT count(*) FROM role_jobs WHERE user_id = $1 AND state = 'noop'";
    until("his payment is looked at", async || Ok(setup.count(ended, &gus).await? == 1)).await?;
    setup.stripe.cancel(&subscription).await?;
    until("his cancellation is looked at", async || Ok(setup.count(ended, &gus).await? == 2)).await?;
    setup.settle().await?;
    ensure!(setup.has_vip(&gus).await?, "the role that a moderator gave was taken");
    let calls = calls_about(setup, gus.user).await?;
    ensure!(calls == 0, "{calls} calls were made for a role that is not ours");
    Ok("he paid and cancelled; the role that a person gave was never touched".to_owned())
}

pub(super) async fn rate_limit(setup: &Setup) -> anyhow::Result<String> {
    let hal = setup.member("Hal").await?;
    let limited = Fault::status(429)
        .on("PUT", &format!("/members/{}/roles/", hal.user))
        .times(2)
        .header("Retry-After", "1")
        .header("X-RateLimit-Scope", "user")
        .body(json!({ "message": "You are being rate limited.", "retry_after": 0.8, "global": false }));
    setup.discord.fault(limited).await?;
    setup.stripe.subscribe(&hal.customer, &setup.price).await?;
    let took = setup.until_vip(&hal).await?;
    ensure!(took >= Duration::from_secs(2), "two waits of a second took only {took:?}");
    let spent = setup
        .count("SELECT coalesce(max(attempts), 0)::bigint FROM role_jobs WHERE user_id = $1", &hal)
        .await?;
    ensure!(spent == 0, "{spent} attempts were spent on being told to wait");
    let calls = calls_about(setup, hal.user).await?;
    ensure!(calls == 3, "{calls} calls instead of two refused ones and one that worked");
    Ok(format!("429 twice: waited as told, no attempt spent, VIP after {:.1} s", took.as_secs_f64()))
}

pub(super) async fn rejoin(setup: &Setup) -> anyhow::Result<String> {
    let ida = setup.member("Ida").await?;
    setup.stripe.subscribe(&ida.customer, &setup.price).await?;
    setup.until_vip(&ida).await?;
    setup.discord.leave(setup.guild, ida.user).await?;
    let waiting = "SELECT count(*) FROM role_jobs WHERE user_id = $1 AND state = 'parked'";
    until("her leaving is noticed", async || Ok(setup.count(waiting, &ida).await? == 1)).await?;
    setup.discord.rejoin(setup.guild, ida.user).await?;
    let took = setup.until_vip(&ida).await?;
    let history = setup.role_history(&ida).await?;
    ensure!(history == ["role.granted", "role.lost", "role.granted"], "the audit log says {history:?}");
    Ok(format!("VIP again {} ms after she came back", took.as_millis()))
}

pub(super) async fn not_joined(setup: &Setup) -> anyhow::Result<String> {
    let jo = setup.member("Jo").await?;
    setup.discord.leave(setup.guild, jo.user).await?;
    setup.stripe.subscribe(&jo.customer, &setup.price).await?;
    let waiting = "SELECT count(*) FROM role_jobs WHERE user_id = $1 AND state = 'parked'";
    until("the payment waits for Jo", async || Ok(setup.count(waiting, &jo).await? == 1)).await?;
    setup.discord.rejoin(setup.guild, jo.user).await?;
    let took = setup.until_vip(&jo).await?;
    Ok(format!("the job waited; VIP {} ms after joining", took.as_millis()))
}

pub(super) async fn role_order(setup: &Setup) -> anyhow::Result<String> {
    let (kim, lee) = (setup.member("Kim").await?, setup.member("Lee").await?);
    setup.discord.set_role(setup.guild, setup.vip, json!({ "position": 90 })).await?;
    setup.stripe.subscribe(&kim.customer, &setup.price).await?;
    let waiting = "SELECT count(*) FROM role_jobs WHERE user_id = $1 AND state = 'parked'";
    until("Kim's job is parked", async || Ok(setup.count(waiting, &kim).await? == 1)).await?;
    setup.stripe.subscribe(&lee.customer, &setup.price).await?;
    until("Lee's job is parked", async || Ok(setup.count(waiting, &lee).await? == 1)).await?;
    let calls = calls_about(setup, kim.user).await? + calls_about(setup, lee.user).await?;
    ensure!(calls == 1, "{calls} calls for a role that Discord refuses; one finds out");
    setup.discord.set_role(setup.guild, setup.vip, json!({ "position": 1 })).await?;
    setup.until_vip(&kim).await?;
    setup.until_vip(&lee).await?;
    Ok("one refused call, then both jobs waited; when the owner moved the role down, both got it".to_owned())
}

pub(super) async fn crash(setup: &Setup) -> anyhow::Result<String> {
    let mia = setup.member("Mia").await?;
    let silent = Fault::apply_then_hang().on("PUT", &format!("/members/{}/roles/", mia.user)).times(1);
    setup.discord.fault(silent).await?;
    setup.stripe.subscribe(&mia.customer, &setup.price).await?;
    until("Discord has acted", async || setup.has_vip(&mia).await).await?;
    let unheard = setup
        .count("SELECT count(*) FROM role_grants WHERE user_id = $1 AND state = 'confirmed'", &mia)
        .await?;
    ensure!(unheard == 0, "the bot had its answer already, so this was no crash in mid-job");
    setup.kill_bot().await?;
    setup.discord.clear_faults().await?;
    setup.start_bot().await?;
    setup.until_vip(&mia).await?;
    let granted = setup
        .count("SELECT count(*) FROM role_grants WHERE user_id = $1 AND state = 'confirmed'", &mia)
        .await?;
    let history = setup.role_history(&mia).await?;
    ensure!(
        granted == 1 && history == ["role.granted"],
        "{granted} grants in the database, the audit log says {history:?}"
    );
    let written =
        setup.discord.audit_log(setup.guild).await?.iter().filter(|entry| entry.user_id == mia.user).count();
    ensure!(written == 1, "Discord's audit log has {written} entries");
    Ok("kill -9, restart: the database was put right with one grant and one audit entry, and the role is hers"
        .to_owned())
}

pub(super) async fn status(setup: &Setup) -> anyhow::Result<String> {
    let owner = setup.discord.join(setup.guild, "Owner").await?;
    let answer = setup.discord.interact(setup.guild, owner, "status").await?;
    ensure!(
        answer.callback["type"] == 5 && answer.callback["data"]["flags"] == 64,
        "the callback was {}",
        answer.callback
    );
    let text = answer.text();
    ensure!(
        text.contains("Nexrole in this server") && text.contains("Mapped to roles: "),
        "the answer was {text:?}"
    );
    Ok(text.replace('\n', " · "))
}

/// Role calls that the bot made about a member.
async fn calls_about(setup: &Setup, user: u64) -> anyhow::Result<usize> {
    let route = format!("/members/{user}/roles/");
    let requests = setup.discord.requests().await?;
    Ok(requests.iter().filter(|request| request.path.contains(&route)).count())
}
