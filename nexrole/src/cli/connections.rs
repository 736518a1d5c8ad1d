//! `nexrole connections`: the Stripe connections of all servers. Text on stdout.

use anyhow::Context;
use shared::{
    db::pool::Pool,
    store::{stripe_connections, stripe_lists},
    views::{connections, terminal},
};

pub(super) async fn show(pool: &Pool) -> anyhow::Result<()> {
    let mut across = pool.across().await.context("the database cannot be reached")?;
    let listed = stripe_connections::list(&mut across).await?;
    let progress = stripe_lists::progress(&mut across).await?;
    println!("{}", terminal::render(&connections::document(&listed, &progress)));
    Ok(())
}
