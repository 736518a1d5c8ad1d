//! `nexrole portal`: where members manage or cancel what they pay for, where Nexrole may not read it or is to send them elsewhere. Text on
//! stdout.

use shared::{
    actions::portal::paste,
    db::{authorized::Authorized, pool::Pool},
    ids::GuildId,
    views::portal::pasted,
};

use super::{guild::failed, text::say};

/// Of which connection, and where.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The server's id
    #[arg(long)]
    guild: GuildId,
    /// The last part of its webhook address, as `nexrole connections` shows it
    connection: String,
    /// The portal's login link (Stripe, Settings, Billing, Customer portal, Activate link), also on a domain of your own
    #[arg(required_unless_present = "remove")]
    link: Option<String>,
    /// Forget what was pasted
    #[arg(long, conflicts_with = "link")]
    remove: bool,
}

pub(super) async fn run(pool: &Pool, arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { guild, connection, link, remove: _ } = arguments;
    let by = Authorized::operator(pool, *guild)?;
    let outcome =
        paste(pool, &by, connection, link.as_deref()).await.map_err(|error| failed(*guild, error))?;
    say(pasted(*guild, connection, &outcome))
}
