//! A payment that fails: on an account that pauses at once, and where another role stands in.

use anyhow::ensure;
use serde_json::json;

use crate::{
    demo::setup::Setup,
    scenario::{Member, until},
};

pub(super) async fn paused_at_once(setup: &Setup) -> anyhow::Result<String> {
    let nia = setup.member("Nia").await?;
    let subscription = setup.stripe.subscribe(&nia.customer, &setup.price).await?;
    setup.until_vip(&nia).await?;
    setup.stripe.pause(&subscription, "first_payment_failure").await?;
    let days = "SELECT count(*) FROM access_sources
                 WHERE user_id = $1 AND state = 'live' AND valid_until BETWEEN now() + interval '13 days' AND now() + interval '14 days'";
    until("the end of the grace is known", async || Ok(setup.count(days, &nia).await? == 1)).await?;
    setup.settle().await?;
    ensure!(setup.has_vip(&nia).await?, "Nia lost her role by one failed payment");
    until_told(setup, &nia, "A payment of yours failed").await?;
    let paid = json!({ "status": "active", "status_details": null });
    setup.stripe.set_subscription(&subscription, paid).await?;
    let no_end =
        "SELECT count(*) FROM access_sources WHERE user_id = $1 AND state = 'live' AND valid_until IS NULL";
    until("it is paid again", async || Ok(setup.count(no_end, &nia).await? == 1)).await?;
    until_told(setup, &nia, "Your payment has arrived").await?;
    let history = setup.role_history(&nia).await?;
    ensure!(history == ["role.granted"], "the audit log says {history:?}");
    Ok("the account pauses at the first failure: VIP stays for 14 days at most, and a message says so; paid: VIP without an end, \
        and another message"
        .to_owned())
}

/// Waits until the last message of the bot to them has this title.
async fn until_told(setup: &Setup, member: &Member, title: &str) -> anyhow::Result<()> {
    let told = async || {
        let messages = setup.discord.direct_messages(member.user).await?;
        Ok(messages.last().is_some_and(|message| message.embeds.iter().any(|embed| embed["title"] == title)))
    };
    until(&format!("they read: {title}"), told).await?;
    Ok(())
}

pub(super) async fn another_role(setup: &Setup) -> anyhow::Result<String> {
    let price = setup.stripe.create_price(&setup.product, 1500).await?;
    let issue = setup.discord.create_role(setup.guild, "Payment issue").await?;
    let (guild, vip, role) = (setup.guild.to_string(), setup.vip.to_string(), issue.to_string());
    let map = ["map", "add", "--guild", &guild, "--price", &price, "--role"];
    setup.nexrole(&[&map[..], &[&vip, "past_due=remove"]].concat()).await?;
    setup.nexrole(&[&map[..], &[&role, "only=grace"]].concat()).await?;
    let oz = setup.member("Oz").await?;
    let subscription = setup.stripe.subscribe(&oz.customer, &price).await?;
    setup.until_vip(&oz).await?;
    setup.stripe.set_subscription(&subscription, json!({ "status": "past_due" })).await?;
    until_instead(setup, &oz, issue, setup.vip).await?;
    setup.stripe.set_subscription(&subscription, json!({ "status": "active" })).await?;
    until_instead(setup, &oz, setup.vip, issue).await?;
    Ok("past_due: \"Payment issue\" instead of VIP; paid: VIP again, and nothing else".to_owned())
}

/// Waits until they have the one role, and not the other.
async fn until_instead(setup: &Setup, member: &Member, given: u64, taken: u64) -> anyhow::Result<()> {
    until("one role takes the other's place", async || {
        Ok(setup.has(member, given).await? && !setup.has(member, taken).await?)
    })
    .await?;
    setup.settle().await
}
