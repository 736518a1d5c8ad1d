//! `nexrole backfill`: what happened at Stripe since some time is read once more. Without a time: how far the last is. Text on stdout.

use anyhow::{Context, bail};
use shared::{
    actions::{
        ActionError,
        backfill::{Backfilled, backfill},
    },
    clock,
    db::{authorized::Authorized, pool::Pool},
    domain::backfill::Since,
    ids::GuildId,
    store::{stripe_backfills, stripe_connections},
    views::{backfill as view, terminal},
};

use super::{
    guild::{failed, known},
    text::say,
};

/// Of which connections, and since when.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The server's id; without it all servers
    #[arg(long)]
    guild: Option<GuildId>,
    /// Of this connection alone: the last part of its webhook address, as `nexrole connections` shows it
    #[arg(long, requires = "guild", requires = "since")]
    connection: Option<String>,
    /// Since when: 5d, 36h, 90m, or a day or moment in UTC, as in 2026-11-23; without it, how far the last backfill is
    #[arg(long)]
    since: Option<String>,
}

pub(super) async fn run(pool: &Pool, arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { guild, connection, since } = arguments;
    let guilds = match guild {
        Some(guild) => vec![*guild],
        None => with_a_connection(pool).await?,
    };
    let Some(text) = since else { return show(pool, *guild, &guilds).await };
    let now = clock::now();
    let Some(since) = Since::parse(text)?.before(now) else { bail!(terminal::text(&view::not_past(text))) };
    for each in guilds {
        let by = Authorized::operator(pool, each)?;
        let outcome = backfill(pool, &by, connection.as_deref(), since, now).await;
        match outcome.map_err(|error: ActionError| failed(each, error))? {
            // Nothing of it is active, and nobody asked for it by its name.
            Backfilled::NoConnection if guild.is_none() => {}
            outcome => say(view::ordered(each, since, &outcome))?,
        }
    }
    Ok(())
}

/// How far each is.
async fn show(pool: &Pool, asked: Option<GuildId>, guilds: &[GuildId]) -> anyhow::Result<()> {
    let mut last = Vec::new();
    for guild in guilds {
        let mut tenant = known(pool, *guild).await?;
        let progress = stripe_backfills::of_guild(&mut tenant).await?;
        for listed in stripe_connections::of_guild(&mut tenant).await? {
            let of_it = progress.iter().find(|progress| progress.connection_id == listed.connection_id);
            last.extend(of_it.cloned().map(|progress| (listed, progress)));
        }
    }
    println!("{}", terminal::render(&view::document(asked, &last)));
    Ok(())
}

/// Every server that has, or had, a Stripe account, in order.
pub(super) async fn with_a_connection(pool: &Pool) -> anyhow::Result<Vec<GuildId>> {
    let mut across = pool.across().await.context("the database cannot be reached")?;
    let mut guilds: Vec<GuildId> =
        stripe_connections::list(&mut across).await?.into_iter().map(|listed| listed.guild_id).collect();
    guilds.dedup();
    Ok(guilds)
}
