//! `nexrole notices`: whether a server's members are told when a payment of theirs failed. Text on stdout.

use clap::ValueEnum;
use shared::{
    actions::notices::turn,
    db::{authorized::Authorized, pool::Pool},
    ids::GuildId,
    views::notice::switched,
};

use super::{guild::failed, text::say};

/// Which server, and whether.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The server's id
    #[arg(long)]
    guild: GuildId,
    /// Whether members are told
    #[arg(value_enum)]
    wanted: Wanted,
}

/// Whether members are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wanted {
    /// By a direct message of the bot; so it is unless somebody turned it off
    On,
    /// Nothing is sent
    Off,
}

pub(super) async fn run(pool: &Pool, arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { guild, wanted } = *arguments;
    let (by, on) = (Authorized::operator(pool, guild)?, wanted == Wanted::On);
    let outcome = turn(pool, &by, on).await.map_err(|error| failed(guild, error))?;
    say(Ok(switched(on, outcome)))
}
