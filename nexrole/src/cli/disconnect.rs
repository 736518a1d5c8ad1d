//! `nexrole disconnect`: a Stripe account is not used any more. Text on stdout.

use anyhow::bail;
use shared::{
    actions::disconnect::{Disconnected, disconnect},
    db::{authorized::Authorized, pool::Pool},
    ids::GuildId,
};

use super::guild::failed;

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
    match disconnect(pool, &by, connection).await.map_err(|error| failed(*guild, error))? {
        Disconnected::Unknown => {
            bail!("server {guild} has no connection {connection}; `nexrole connections` shows all of them")
        }
        Disconnected::AlreadySo => println!("It was disconnected already."),
        Disconnected::Disconnected { label, livemode, is_described, frozen } => {
            let mode = if livemode { "live" } else { "test" };
            println!(
                "Disconnected '{label}' ({mode}) of server {guild}: it is not read any more, events for it are refused within a minute, and \
                 the secrets that were sealed for it are gone. Delete the webhook endpoint and the key at Stripe."
            );
            if frozen > 0 {
                println!(
                    "{frozen} reason(s) for a role stay as they are: nothing says that what was paid for has ended. \
                     `nexrole link remove` ends them, customer by customer."
                );
            }
            if is_described {
                println!(
                    "Variables of the gateway describe it: remove GUILD_ID, STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET there and \
                     restart it. Until then it accepts events, and connects this again when it starts."
                );
            }
        }
    }
    Ok(())
}
