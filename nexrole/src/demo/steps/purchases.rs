//! What was bought once, what is refunded, and what is disputed.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::{
    demo::setup::Setup,
    scenario::{Member, until},
};

/// A price that is paid once, mapped to the role.
async fn sell_once(setup: &Setup) -> anyhow::Result<String> {
    let product = setup.stripe.create_product("VIP for ever").await?;
    let price = json!({ "product": product, "unit_amount": 9900, "type": "one_time" });
    let price = setup.stripe.create_price_with(price).await?;
    let (guild, role) = (setup.guild.to_string(), setup.vip.to_string());
    setup.nexrole(&["map", "add", "--guild", &guild, "--price", &price, "--role", &role]).await?;
    Ok(price)
}

/// A member buys, and has the role. Answers the payment.
async fn buy(setup: &Setup, member: &Member, purchase: Value) -> anyhow::Result<(String, String)> {
    let price = sell_once(setup).await?;
    let session =
        setup.stripe.open_session(json!({ "prices": [price], "customer": member.customer })).await?;
    let done = setup.stripe.complete_session(&session, purchase).await?;
    let payment = done["payment_intent"].as_str().context("the session has no payment")?;
    Ok((session, payment.to_owned()))
}

pub(super) async fn bought_once(setup: &Setup) -> anyhow::Result<String> {
    let kim = setup.member("Kim").await?;
    let (session, _) = buy(setup, &kim, json!({ "payment": "pending" })).await?;
    let read =
        "SELECT count(*) FROM purchases p JOIN member_links l USING (guild_id, connection_id, customer_id)
                 WHERE l.user_id = $1 AND p.status = 'not_paid'";
    until("the purchase is read", async || Ok(setup.count(read, &kim).await? == 1)).await?;
    ensure!(!setup.has_vip(&kim).await?, "Kim has the role although the bank has not answered");
    setup.stripe.settle_session(&session, true).await?;
    let took = setup.until_vip(&kim).await?;
    Ok(format!(
        "nothing while the bank thought about it, VIP {} ms after it said yes, for ever",
        took.as_millis()
    ))
}

pub(super) async fn refunded(setup: &Setup) -> anyhow::Result<String> {
    let lou = setup.member("Lou").await?;
    let (_, payment) = buy(setup, &lou, json!({})).await?;
    setup.until_vip(&lou).await?;
    setup.stripe.refund(json!({ "payment_intent": payment, "amount": 900 })).await?;
    let read = "SELECT count(*) FROM stripe_events
                 WHERE type = 'charge.refunded' AND state = 'processed' AND $1::bigint IS NOT NULL";
    until("the refund is read", async || Ok(setup.count(read, &lou).await? == 1)).await?;
    setup.settle().await?;
    ensure!(setup.has_vip(&lou).await?, "Lou lost the role by a refund of a part");
    let rest = setup.stripe.refund(json!({ "payment_intent": payment, "status": "pending" })).await?;
    setup.until_no_vip(&lou).await?;
    setup.stripe.fail_refund(&rest).await?;
    setup.until_vip(&lou).await?;
    let history = setup.role_history(&lou).await?;
    ensure!(history == ["role.granted", "role.revoked", "role.granted"], "the audit log says {history:?}");
    Ok("a part: VIP stays; all of it: VIP goes; the bank sends it back: VIP again".to_owned())
}

pub(super) async fn disputed(setup: &Setup) -> anyhow::Result<String> {
    let mia = setup.member("Mia").await?;
    let (_, payment) = buy(setup, &mia, json!({})).await?;
    setup.until_vip(&mia).await?;
    let won = setup.stripe.dispute(json!({ "payment_intent": payment })).await?;
    setup.until_no_vip(&mia).await?;
    setup.stripe.close_dispute(&won, "won").await?;
    setup.until_vip(&mia).await?;
    let lost = setup.stripe.dispute(json!({ "payment_intent": payment })).await?;
    setup.until_no_vip(&mia).await?;
    setup.stripe.close_dispute(&lost, "lost").await?;
    let read = "SELECT count(*) FROM stripe_events
                 WHERE type = 'charge.dispute.closed' AND state = 'processed' AND $1::bigint IS NOT NULL";
    until("the end of the second is read", async || Ok(setup.count(read, &mia).await? == 2)).await?;
    setup.settle().await?;
    ensure!(!setup.has_vip(&mia).await?, "Mia has the role again although the dispute was lost");
    Ok("open: no VIP; won: VIP again; another one, lost: no VIP".to_owned())
}
