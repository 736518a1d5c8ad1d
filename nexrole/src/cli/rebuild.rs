//! `nexrole rebuild`: access is derived again from what was read from Stripe. Shows the difference, and asks. Text on stdout.

use anyhow::bail;
use shared::{
    actions::rebuild::rebuild,
    clock,
    db::{authorized::Authorized, pool::Pool},
    domain::{activity::Activity, stripe_object::Object},
    ids::{ConnectionId, GuildId},
    store::{mirror_facts, stripe_connections},
    views::{
        rebuild::{Difference, document, ordered},
        terminal,
    },
};
use webhook_gateway::{
    stripe::credentials::MetadataLinks,
    sync::apply::{Derived, derive},
};

use super::{
    activity::write_down,
    ask::is_agreed,
    guild::{failed, known},
    text::say,
};

/// Rows that are looked at in one transaction.
const ROWS: i64 = 100;

/// Of which server.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The server's id
    #[arg(long)]
    guild: GuildId,
    /// Show the difference, and do nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(pool: &Pool, arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { guild, dry_run, yes } = *arguments;
    let mut tenant = known(pool, guild).await?;
    let connections = stripe_connections::of_guild(&mut tenant).await?;
    write_down(tenant, Activity::PreviewRead, None).await?;
    let mut difference = Difference::default();
    for listed in connections.iter().filter(|listed| listed.state == "active") {
        look(pool, guild, listed.connection_id, &mut difference).await?;
    }
    println!("{}", terminal::render(&document(guild, &difference)));
    if dry_run || difference.is_none() {
        return Ok(());
    }
    if !yes && !is_agreed("Derive it again?")? {
        bail!("nothing was changed");
    }
    let by = Authorized::operator(pool, guild)?;
    let outcome = rebuild(pool, &by, clock::now()).await.map_err(|error| failed(guild, error))?;
    println!();
    say(ordered(guild, outcome))
}

/// What a connection's rows give, as they are now; the gateway derives it once more when it does it.
async fn look(
    pool: &Pool,
    guild: GuildId,
    connection: ConnectionId,
    difference: &mut Difference,
) -> anyhow::Result<()> {
    let mut after: Option<Object> = None;
    loop {
        let mut tenant = known(pool, guild).await?;
        let metadata = match stripe_connections::metadata_links(&mut tenant, connection).await? {
            true => MetadataLinks::On,
            false => MetadataLinks::Off,
        };
        let rows = mirror_facts::page(&mut tenant, connection, after.as_ref(), ROWS).await?;
        for object in &rows {
            let derived = derive(&mut tenant, connection, metadata, object, clock::now()).await?;
            let (changed, given) = match derived {
                Derived::AsKnown => continue,
                Derived::Gives(given) => (&mut difference.gives, given),
                Derived::ToRead(ends) => {
                    difference.to_read += 1;
                    (&mut difference.would_end, ends)
                }
            };
            for given in given {
                changed.entry(given.role).or_default().insert(given.user);
            }
        }
        difference.looked += rows.len();
        after = rows.into_iter().next_back();
        if after.is_none() {
            return Ok(());
        }
    }
}
