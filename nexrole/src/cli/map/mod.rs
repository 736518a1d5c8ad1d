//! `nexrole map …`: what gives which role, and whether roles follow payments yet. Text on stdout.

use anyhow::{Context, bail};
use clap::Subcommand;
use shared::{
    actions::enforce::Enforce,
    db::pool::Pool,
    domain::entitlement::mapping::Sold,
    ids::{GuildId, RoleId},
};

mod add;
mod enforce;
mod list;
mod policy;
mod preview;
mod remove;

/// `nexrole map …`
#[derive(Debug, Subcommand)]
pub enum MapCommand {
    /// Add a mapping; members whose subscriptions are known already get the role too
    Add {
        /// The server's id
        #[arg(long)]
        guild: GuildId,
        /// price_…
        #[arg(long, required_unless_present = "product", conflicts_with = "product")]
        price: Option<String>,
        /// prod_…: every price of the product
        #[arg(long)]
        product: Option<String>,
        /// The role's id
        #[arg(long)]
        role: RoleId,
        /// What differs from the default, as in only=grace or paid_for=after_180d; `map policy` shows all states
        #[arg(value_name = "STATE=RULE")]
        choices: Vec<String>,
    },
    /// Remove a mapping; shows first who would lose the role by it, and asks
    Remove {
        /// The server's id
        #[arg(long)]
        guild: GuildId,
        /// price_…
        #[arg(long, required_unless_present = "product", conflicts_with = "product")]
        price: Option<String>,
        /// prod_…
        #[arg(long)]
        product: Option<String>,
        /// The role's id
        #[arg(long)]
        role: RoleId,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Show what each state of a subscription is worth to a mapping; with STATE=RULE, change it
    Policy {
        /// The server's id
        #[arg(long)]
        guild: GuildId,
        /// price_…
        #[arg(long, required_unless_present = "product", conflicts_with = "product")]
        price: Option<String>,
        /// prod_…
        #[arg(long)]
        product: Option<String>,
        /// The role's id
        #[arg(long)]
        role: RoleId,
        /// As in past_due=7d trialing=remove pause_requested=period_end canceled=default
        #[arg(value_name = "STATE=RULE")]
        choices: Vec<String>,
    },
    /// List what gives which role, and whether roles follow payments yet
    List {
        /// The server's id
        #[arg(long)]
        guild: GuildId,
    },
    /// Show who would gain and lose a role that is only observed
    Preview {
        /// The server's id
        #[arg(long)]
        guild: GuildId,
        /// The role's id
        #[arg(long)]
        role: RoleId,
    },
    /// Turn a role on: from now on it follows payments
    Enforce {
        /// The server's id
        #[arg(long)]
        guild: GuildId,
        /// The role's id
        #[arg(long)]
        role: RoleId,
        /// The reverse: compute and show everything, change nothing
        #[arg(long)]
        observe: bool,
    },
}

pub(super) async fn run(pool: &Pool, command: MapCommand) -> anyhow::Result<()> {
    match command {
        MapCommand::Add { guild, price, product, role, choices } => {
            add::run(pool, guild, &sold(price, product)?, role, &choices).await
        }
        MapCommand::Remove { guild, price, product, role, yes } => {
            remove::run(pool, guild, &sold(price, product)?, role, yes).await
        }
        MapCommand::Policy { guild, price, product, role, choices } => {
            policy::run(pool, guild, &sold(price, product)?, role, &choices).await
        }
        MapCommand::List { guild } => list::show(pool, guild).await,
        MapCommand::Preview { guild, role } => preview::show(pool, guild, role).await,
        MapCommand::Enforce { guild, role, observe } => {
            let wanted = if observe { Enforce::Observe } else { Enforce::On };
            enforce::run(pool, guild, role, wanted).await
        }
    }
}

/// What is sold, of the two options of which the parser lets one be given.
fn sold(price: Option<String>, product: Option<String>) -> anyhow::Result<Sold> {
    Ok(match (price, product) {
        (Some(price), None) => Sold::Price(price.parse().context("--price")?),
        (None, Some(product)) => Sold::Product(product.parse().context("--product")?),
        _ => bail!("give either --price or --product"),
    })
}
