//! The operator's commands, one file each: read the arguments, do what `shared::actions` has for it, or read, and say on stdout what
//! came of it. Errors name their fix.

use anyhow::Context;
use clap::Subcommand;
use shared::{
    config::Env,
    db::{migrate, pg_roles::Login, pool},
    ids::{GuildId, UserId},
};

use crate::settings;

mod activity;
mod ask;
mod backfill;
mod catalogue;
mod connect;
mod connections;
mod disconnect;
mod erase;
mod export;
mod failed;
mod follow;
mod give_back;
mod grant;
mod guild;
mod held;
mod import;
mod link;
pub mod mail;
mod map;
mod members;
mod notices;
mod portal;
mod rebuild;
mod revoke;
mod text;
mod why;

/// What an operator can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring the database's schema up to date; run it once per deploy
    Migrate {
        /// Make the database roles only: before a restore, which needs them
        #[arg(long)]
        roles_only: bool,
    },
    /// Map a price or a product to a role
    Map {
        /// What to do with mappings
        #[command(subcommand)]
        command: map::MapCommand,
    },
    /// Link a Stripe customer to a Discord user
    Link {
        /// What to do with links
        #[command(subcommand)]
        command: link::LinkCommand,
    },
    /// Explain why a member has, or lacks, a role
    Why {
        /// The server's id
        #[arg(long)]
        guild: GuildId,
        /// The member's user id
        #[arg(long)]
        member: UserId,
    },
    /// List members and payers that need a look, and what to do: who pays without a role, who has one and why, who pays twice, …
    Members(members::Arguments),
    /// Connect a server's Stripe account; the secrets are sealed with ENCRYPTION_KEYS
    Connect(connect::Arguments),
    /// Disconnect a Stripe account: it is not read any more, and its secrets are forgotten; nobody loses a role by that
    Disconnect(disconnect::Arguments),
    /// List the Stripe connections
    Connections,
    /// Say where members manage or cancel what they pay for: the login link of Stripe's customer portal
    Portal(portal::Arguments),
    /// Read once more what happened at Stripe since some time: after a long outage, or a restored backup; without a time, how far it is
    Backfill(backfill::Arguments),
    /// Write a server's audit log to stdout
    Export {
        /// The server's id
        #[arg(long)]
        guild: GuildId,
        /// How to write it
        #[arg(long, value_enum, default_value = "jsonl")]
        format: export::Format,
    },
    /// Show what went on in a server lately: commands, looks at its data, refusals
    Activity {
        /// The server's id
        #[arg(long)]
        guild: GuildId,
        /// How many lines
        #[arg(long, default_value_t = 50)]
        lines: i64,
    },
    /// Give a member a role by hand, whatever they pay; again: with another reason or end
    Grant(grant::Arguments),
    /// End what was given to a member by hand; what they pay for stays
    Revoke(revoke::Arguments),
    /// Write down who had a role before Nexrole: Discord ids on stdin, one a line
    Import(import::Arguments),
    /// Give a member a role back that somebody took from them at Discord though they pay for it
    GiveBack(give_back::Arguments),
    /// Show roles that are not taken until you agree, because they would be too many within a day; approve or discard them
    Held(held::Arguments),
    /// Derive access again from what was read from Stripe; shows the difference first, and asks
    Rebuild(rebuild::Arguments),
    /// Show what was given up or fails again and again: reads, events, role changes, notices; have it tried again
    #[command(visible_alias = "dead-letters")]
    Failed(failed::Arguments),
    /// Have members told when a payment of theirs failed and what follows, or have them told nothing
    Notices(notices::Arguments),
    /// Say whether a role that a person gave to a member who pays is to end with the payment; without an answer, list what is asked
    Follow(follow::Arguments),
    /// Forget a member: their roles are taken back, and everything about them goes
    Erase(erase::Arguments),
    /// List what the server's owner sells at Stripe, and which roles it gives
    Catalogue {
        /// The server's id
        #[arg(long)]
        guild: GuildId,
    },
}

pub async fn run(env: &Env, command: Command) -> anyhow::Result<()> {
    let url = settings::database_url(env)?;
    let pool = pool::pool(&url, 2, Login::Operator).context("DATABASE_URL is malformed")?;
    match command {
        Command::Migrate { roles_only: true } => {
            migrate::make_roles(&migrate::migration_pool(&url)?).await?;
            println!("The database roles are there.");
            Ok(())
        }
        Command::Migrate { roles_only: false } => {
            crate::database::migrate(&migrate::migration_pool(&url)?).await?;
            println!("The schema is up to date.");
            Ok(())
        }
        Command::Map { command } => map::run(&pool, command).await,
        Command::Link { command } => link::run(&pool, &command).await,
        Command::Why { guild, member } => why::show(&pool, guild, member).await,
        Command::Members(arguments) => members::show(&pool, &arguments).await,
        Command::Connect(arguments) => connect::run(env, &pool, &arguments).await,
        Command::Disconnect(arguments) => disconnect::run(&pool, &arguments).await,
        Command::Grant(arguments) => grant::run(&pool, arguments).await,
        Command::Revoke(arguments) => revoke::run(&pool, &arguments).await,
        Command::Import(arguments) => import::run(&pool, &arguments).await,
        Command::GiveBack(arguments) => give_back::run(&pool, &arguments).await,
        Command::Notices(arguments) => notices::run(&pool, &arguments).await,
        Command::Follow(arguments) => follow::run(&pool, &arguments).await,
        Command::Connections => connections::show(&pool).await,
        Command::Portal(arguments) => portal::run(&pool, &arguments).await,
        Command::Backfill(arguments) => backfill::run(&pool, &arguments).await,
        Command::Export { guild, format } => export::run(&pool, guild, format).await,
        Command::Activity { guild, lines } => activity::show(&pool, guild, lines).await,
        Command::Rebuild(arguments) => rebuild::run(&pool, &arguments).await,
        Command::Failed(arguments) => failed::run(&pool, &arguments).await,
        Command::Held(arguments) => held::run(&pool, &arguments).await,
        Command::Erase(arguments) => erase::run(&pool, &arguments).await,
        Command::Catalogue { guild } => catalogue::show(&pool, guild).await,
    }
}
