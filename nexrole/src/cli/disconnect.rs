//! `nexrole disconnect`: a Stripe account is not used any more. Text on stdout.

use shared::{
    actions::disconnect::disconnect,
    db::{authorized::Authorized, pool::Pool},
    ids::GuildId,
    views::account_changes::disconnected,
};

use super::{guild::failed, text::say};

/// What to disconnect.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The server's id
    #[arg(long)]
    guild: GuildId,
    /// The last part of its webhook address, as `nexrole connections` shows it
    connection: String,
}

pub(super) async fn run(pool: &Pool, Arguments { guild, connection }: &Arguments) -> anyhow::Result<()> {
    let by = Authorized::operator(pool, *guild)?;
    let outcome = disconnect(pool, &by, connection).await.map_err(|error| failed(*guild, error))?;
    say(disconnected(*guild, connection, &outcome))
}
