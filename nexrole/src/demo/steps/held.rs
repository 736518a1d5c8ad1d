//! A mistake in bulk: few lose their role by it, and the owner is asked about the others.

use anyhow::ensure;

use crate::{
    demo::setup::Setup,
    scenario::{Member, until},
};

const NAMES: [&str; 5] = ["Pia", "Quin", "Rosa", "Sid", "Tom"];

pub(super) async fn wrong_rule(setup: &Setup) -> anyhow::Result<String> {
    let price = setup.stripe.create_price(&setup.product, 2500).await?;
    let studio = setup.discord.create_role(setup.guild, "Studio").await?;
    let (guild, role) = (setup.guild.to_string(), studio.to_string());
    let mapping = ["--guild", &guild, "--price", &price, "--role", &role];
    setup.nexrole(&[&["map", "add"], &mapping[..]].concat()).await?;
    let mut payers = Vec::new();
    for name in NAMES {
        let payer = setup.member(name).await?;
        setup.stripe.subscribe(&payer.customer, &price).await?;
        payers.push(payer);
    }
    until("all five have the role", async || Ok(with(setup, &payers, studio).await? == 5)).await?;
    setup.settle().await?;

    setup.nexrole(&[&["map", "policy"], &mapping[..], &["active=remove"]].concat()).await?;
    until("three are held", async || Ok(held(setup).await? == 3)).await?;
    setup.settle().await?;
    let kept = with(setup, &payers, studio).await?;
    ensure!(kept == 3, "{kept} of five kept the role");
    let said = setup.nexrole(&["held", "--guild", &guild]).await?;
    ensure!(said.contains("is not taken from 3 member(s) until you agree"), "`nexrole held` says {said}");

    setup.nexrole(&[&["map", "policy"], &mapping[..], &["active=default"]].concat()).await?;
    until("the rule is corrected", async || {
        Ok(held(setup).await? == 0 && with(setup, &payers, studio).await? == 5)
    })
    .await?;
    setup.settle().await?;
    Ok("two lost it, three were held until the owner answers; the rule corrected: all five have it"
        .to_owned())
}

async fn with(setup: &Setup, payers: &[Member], role: u64) -> anyhow::Result<usize> {
    let mut with = 0;
    for payer in payers {
        with += usize::from(setup.has(payer, role).await?);
    }
    Ok(with)
}

async fn held(setup: &Setup) -> anyhow::Result<i64> {
    let held = "SELECT count(*) FROM role_jobs WHERE state = 'held'";
    Ok(sqlx::query_scalar(held).fetch_one(&setup.db).await?)
}
