//! Paying, failing, ending.

use anyhow::{Context, ensure};
use serde_json::json;

use crate::{demo::setup::Setup, scenario::until};

pub(super) async fn paid(setup: &Setup) -> anyhow::Result<String> {
    let user = setup.discord.join(setup.guild, "Ana").await?;
    let (ana, bought) = setup.buys(user, &setup.vip_link).await?;
    let subscription = bought["subscription"].as_str().context("she has no subscription")?;
    let took = setup.until_vip(&ana).await?;
    let history = setup.role_history(&ana).await?;
    ensure!(history == ["role.granted"], "the audit log says {history:?}");
    let written = setup.discord.audit_log(setup.guild).await?;
    let reason =
        written.iter().find(|entry| entry.user_id == ana.user).and_then(|entry| entry.reason.clone());
    let reason = reason.context("Discord's audit log has no reason")?;
    ensure!(reason.contains(subscription), "Discord's audit log says {reason:?}");
    Ok(format!(
        "she paid, logged in, and said that it is hers: VIP {} ms later. Discord's audit log says: \"{reason}\"",
        took.as_millis()
    ))
}

pub(super) async fn card_fails(setup: &Setup) -> anyhow::Result<String> {
    let dora = setup.member("Dora").await?;
    let subscription = setup.stripe.subscribe(&dora.customer, &setup.price).await?;
    setup.until_vip(&dora).await?;
    for status in ["past_due", "active"] {
        setup.stripe.set_subscription(&subscription, json!({ "status": status })).await?;
        let mirrored = "SELECT count(*) FROM subscriptions s JOIN member_links l USING (guild_id, connection_id, customer_id)
                         WHERE l.user_id = $1 AND s.status = 'past_due'";
        let expected = i64::from(status == "past_due");
        until(&format!("{status} is read"), async || Ok(setup.count(mirrored, &dora).await? == expected))
            .await?;
        setup.settle().await?;
        ensure!(setup.has_vip(&dora).await?, "Dora lost her role while her card was {status}");
    }
    let history = setup.role_history(&dora).await?;
    ensure!(history == ["role.granted"], "the audit log says {history:?}");
    Ok("past_due and active again: she kept VIP throughout, and no role was changed once more".to_owned())
}

pub(super) async fn cancelled(setup: &Setup) -> anyhow::Result<String> {
    let eve = setup.member("Eve").await?;
    let subscription = setup.stripe.subscribe(&eve.customer, &setup.price).await?;
    setup.until_vip(&eve).await?;
    setup.stripe.set_subscription(&subscription, json!({ "cancel_at_period_end": true })).await?;
    let announced = "SELECT count(*) FROM subscriptions s JOIN member_links l USING (guild_id, connection_id, customer_id)
                      WHERE l.user_id = $1 AND s.cancel_at_period_end";
    until("the announced end is read", async || Ok(setup.count(announced, &eve).await? == 1)).await?;
    setup.settle().await?;
    ensure!(setup.has_vip(&eve).await?, "Eve lost her role before the end of the period she paid for");
    setup.stripe.cancel(&subscription).await?;
    let took = setup.until_no_vip(&eve).await?;
    let history = setup.role_history(&eve).await?;
    ensure!(history == ["role.granted", "role.revoked"], "the audit log says {history:?}");
    Ok(format!("VIP until the end of the paid period, gone {} ms after it", took.as_millis()))
}

pub(super) async fn two_subscriptions(setup: &Setup) -> anyhow::Result<String> {
    let fay = setup.member("Fay").await?;
    let first = setup.stripe.subscribe(&fay.customer, &setup.price).await?;
    let second = setup.stripe.subscribe(&fay.customer, &setup.price).await?;
    setup.until_vip(&fay).await?;
    setup.stripe.cancel(&first).await?;
    let ended = "SELECT count(*) FROM access_sources WHERE user_id = $1 AND state = 'ended'";
    until("the first is read as canceled", async || Ok(setup.count(ended, &fay).await? == 1)).await?;
    setup.settle().await?;
    ensure!(setup.has_vip(&fay).await?, "Fay lost her role although she still pays for it");
    setup.stripe.cancel(&second).await?;
    setup.until_no_vip(&fay).await?;
    let history = setup.role_history(&fay).await?;
    ensure!(history == ["role.granted", "role.revoked"], "the audit log says {history:?}");
    Ok("VIP stayed while the other subscription paid for it, and went with the second".to_owned())
}

pub(super) async fn why(setup: &Setup) -> anyhow::Result<String> {
    let state = setup.discord.state().await?;
    let members = state["guilds"][0]["members"].as_array().context("Discord's state has no members")?;
    let ana = members.iter().find(|member| member["username"] == "Ana").context("Ana is gone")?;
    let ana = ana["id"].as_str().context("Ana has no id")?;
    let answer = setup.nexrole(&["why", "--guild", &setup.guild.to_string(), "--member", ana]).await?;
    let mut said =
        answer.lines().skip_while(|line| !line.starts_with("Role ")).take_while(|line| !line.is_empty());
    let reason = said.next().context("no role in the answer")?;
    let chain: Vec<&str> = said.map(str::trim).collect();
    let links = ["they claimed it after paying", "was read from Stripe: active", "Discord confirmed that"];
    let is_whole = links.iter().all(|link| chain.iter().any(|step| step.contains(link)));
    ensure!(is_whole && reason.contains("is active"), "the answer is\n{answer}");
    Ok(format!("{reason}. The chain: {}", chain.join("; ")))
}
