//! `nexrole failed`: what was given up, or fails again and again, of all kinds; and to have it tried again now. Text on stdout.

use anyhow::bail;
use clap::Subcommand;
use shared::{
    actions::{
        failed::{Failed, failed as read},
        retry::retry,
    },
    db::{authorized::Authorized, pool::Pool},
    domain::failed::Target,
    ids::GuildId,
    views::{failed as view, terminal},
};

use super::{backfill::with_a_connection, guild::failed, text::say};

/// What is done, and in which server.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<FailedCommand>,
}

/// `nexrole failed …`
#[derive(Debug, Clone, Subcommand)]
enum FailedCommand {
    /// What failed, whose it is, since when, how often it was tried, why, and what helps (this is the default)
    List {
        /// The server's id; without it all servers
        #[arg(long)]
        guild: Option<GuildId>,
    },
    /// Have it tried again now, within Stripe's and Discord's limits
    Retry {
        /// The server's id
        #[arg(long)]
        guild: GuildId,
        /// What the list calls it: sub_…, evt_…, role-…, notice-…, events-…
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<String>,
        /// All that the list has
        #[arg(long)]
        all: bool,
    },
}

pub(super) async fn run(pool: &Pool, arguments: &Arguments) -> anyhow::Result<()> {
    match arguments.command.clone().unwrap_or(FailedCommand::List { guild: None }) {
        FailedCommand::List { guild } => {
            let guilds = match guild {
                Some(guild) => vec![guild],
                None => with_a_connection(pool).await?,
            };
            if guilds.is_empty() {
                bail!("no server has a Stripe connection yet");
            }
            for (number, guild) in guilds.into_iter().enumerate() {
                if number > 0 {
                    println!();
                }
                let found = look(pool, &Authorized::operator(pool, guild)?).await?;
                println!("{}", terminal::render(&view::document(guild, &found)));
            }
            Ok(())
        }
        FailedCommand::Retry { guild, id, all: _ } => {
            let by = Authorized::operator(pool, guild)?;
            let found = look(pool, &by).await?;
            let target = id.as_deref().map(Target::parse);
            let outcome =
                retry(pool, &by, &found, target.as_ref()).await.map_err(|error| failed(guild, error))?;
            say(view::retried(guild, id.as_deref(), &outcome))
        }
    }
}

async fn look(pool: &Pool, by: &Authorized) -> anyhow::Result<Failed> {
    read(pool, by).await.map_err(|error| failed(by.guild(), error))
}
