//! Paying, failing, ending.

use anyhow::{Context, ensure};
use serde_json::json;

use crate::demo::stage::Stage;

pub(super) async fn paid(stage: &Stage) -> anyhow::Result<String> {
    let ana = stage.fan("Ana").await?;
    let subscription = stage.stripe.subscribe(&ana.customer, &stage.price).await?;
    let took = stage.until_vip(&ana).await?;
    let history = stage.role_history(&ana).await?;
    ensure!(history == ["role.granted"], "the audit log says {history:?}");
    let written = stage.discord.audit_log(stage.guild).await?;
    let reason =
        written.iter().find(|entry| entry.user_id == ana.user).and_then(|entry| entry.reason.clone());
    let reason = reason.context("Discord's audit log has no reason")?;
    ensure!(reason.contains(&subscription), "Discord's audit log says {reason:?}");
    Ok(format!("VIP {} ms after the payment. Discord's audit log says: \"{reason}\"", took.as_millis()))
}

pub(super) async fn card_fails(stage: &Stage) -> anyhow::Result<String> {
    let dora = stage.fan("Dora").await?;
    let subscription = stage.stripe.subscribe(&dora.customer, &stage.price).await?;
    stage.until_vip(&dora).await?;
    for status in ["past_due", "active"] {
        stage.stripe.set_subscription(&subscription, json!({ "status": status })).await?;
        let mirrored = "SELECT count(*) FROM subscriptions s JOIN member_links l USING (guild_id, connection_id, customer_id)
                         WHERE l.user_id = $1 AND s.status = 'past_due'";
        let expected = i64::from(status == "past_due");
        stage
            .until(&format!("{status} is read"), async || Ok(stage.count(mirrored, &dora).await? == expected))
            .await?;
        stage.until_settled(&dora).await?;
        ensure!(stage.has_vip(&dora).await?, "Dora lost her role while her card was {status}");
    }
    let history = stage.role_history(&dora).await?;
    ensure!(history == ["role.granted"], "the audit log says {history:?}");
    Ok("past_due and active again: she kept VIP throughout, and Discord was not called once more".to_owned())
}

pub(super) async fn cancelled(stage: &Stage) -> anyhow::Result<String> {
    let eve = stage.fan("Eve").await?;
    let subscription = stage.stripe.subscribe(&eve.customer, &stage.price).await?;
    stage.until_vip(&eve).await?;
    stage.stripe.set_subscription(&subscription, json!({ "cancel_at_period_end": true })).await?;
    let announced = "SELECT count(*) FROM subscriptions s JOIN member_links l USING (guild_id, connection_id, customer_id)
                      WHERE l.user_id = $1 AND s.cancel_at_period_end";
    stage.until("the announced end is read", async || Ok(stage.count(announced, &eve).await? == 1)).await?;
    stage.until_settled(&eve).await?;
    ensure!(stage.has_vip(&eve).await?, "Eve lost her role before the end of the period she paid for");
    stage.stripe.cancel(&subscription).await?;
    let took = stage.until_no_vip(&eve).await?;
    let history = stage.role_history(&eve).await?;
    ensure!(history == ["role.granted", "role.revoked"], "the audit log says {history:?}");
    Ok(format!("VIP until the end of the paid period, gone {} ms after it", took.as_millis()))
}

pub(super) async fn two_subscriptions(stage: &Stage) -> anyhow::Result<String> {
    let fay = stage.fan("Fay").await?;
    let first = stage.stripe.subscribe(&fay.customer, &stage.price).await?;
    let second = stage.stripe.subscribe(&fay.customer, &stage.price).await?;
    stage.until_vip(&fay).await?;
    stage.stripe.cancel(&first).await?;
    let ended = "SELECT count(*) FROM access_sources WHERE user_id = $1 AND state = 'ended'";
    stage.until("the first is read as canceled", async || Ok(stage.count(ended, &fay).await? == 1)).await?;
    stage.until_settled(&fay).await?;
    ensure!(stage.has_vip(&fay).await?, "Fay lost her role although she still pays for it");
    stage.stripe.cancel(&second).await?;
    stage.until_no_vip(&fay).await?;
    let history = stage.role_history(&fay).await?;
    ensure!(history == ["role.granted", "role.revoked"], "the audit log says {history:?}");
    Ok("VIP stayed while the other subscription paid for it, and went with the second".to_owned())
}

pub(super) async fn why(stage: &Stage) -> anyhow::Result<String> {
    let state = stage.discord.state().await?;
    let members = state["guilds"][0]["members"].as_array().context("Discord's state has no members")?;
    let ana = members.iter().find(|member| member["username"] == "Ana").context("Ana is gone")?;
    let ana = ana["id"].as_str().context("Ana has no id")?;
    let answer = stage.nexrole(&["why", "--guild", &stage.guild.to_string(), "--member", ana]).await?;
    let reason = answer.lines().find(|line| line.contains("live")).context("no live reason in the answer")?;
    ensure!(answer.contains("role.granted") && reason.contains("is active"), "the answer is\n{answer}");
    Ok(reason.trim().to_owned())
}
