//! `nexrole link …`: which Stripe customer is which member. Text on stdout.

use clap::Subcommand;
use shared::{
    db::pool::Pool,
    ids::{CustomerId, GuildId, UserId},
};

mod add;
mod hand_over;
mod remove;

/// `nexrole link …`
#[derive(Debug, Subcommand)]
pub enum LinkCommand {
    /// Add a link; what the customer pays for comes into effect at once
    Add {
        /// The server's id
        #[arg(long)]
        guild: GuildId,
        /// cus_…
        #[arg(long)]
        customer: CustomerId,
        /// The member's user id
        #[arg(long)]
        user: UserId,
    },
    /// Move a customer from whoever has it to another member, at once: an account that is gone, or a change that is to wait
    Move {
        /// The server's id
        #[arg(long)]
        guild: GuildId,
        /// cus_…
        #[arg(long)]
        customer: CustomerId,
        /// The user id of the member who is to have it
        #[arg(long)]
        to: UserId,
    },
    /// Remove a link that is wrong: the member loses what the customer pays for, unless something else gives it
    Remove {
        /// The server's id
        #[arg(long)]
        guild: GuildId,
        /// cus_…
        #[arg(long)]
        customer: CustomerId,
    },
}

pub(super) async fn run(pool: &Pool, command: &LinkCommand) -> anyhow::Result<()> {
    match command {
        LinkCommand::Add { guild, customer, user } => add::run(pool, *guild, customer, *user).await,
        LinkCommand::Move { guild, customer, to } => hand_over::run(pool, *guild, customer, *to).await,
        LinkCommand::Remove { guild, customer } => remove::run(pool, *guild, customer).await,
    }
}
