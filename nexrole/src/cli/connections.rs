//! `nexrole connections`: the Stripe connections of all servers. Text on stdout.

use anyhow::Context;
use shared::{db::pool::Pool, store::stripe_connections};

pub(super) async fn show(pool: &Pool) -> anyhow::Result<()> {
    let mut across = pool.across().await.context("the database cannot be reached")?;
    let connections = stripe_connections::list(&mut across).await?;
    if connections.is_empty() {
        println!(
            "No Stripe connection yet: start the gateway with GUILD_ID, STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET."
        );
    }
    for c in connections {
        let mode = if c.livemode { "live" } else { "test" };
        println!(
            "server {}  {mode}  {}  {}  /webhooks/stripe/{}",
            c.guild_id, c.state, c.label, c.endpoint_id
        );
    }
    Ok(())
}
