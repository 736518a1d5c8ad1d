//! `nexrole map …`: what gives which role, and whether roles follow payments yet. Text on stdout.

use anyhow::{Context, bail};
use clap::Subcommand;
use shared::db::pool::Pool;
use shared::{
    db::tenant,
    domain::{
        activity::Activity,
        delivery::refusal,
        roles::{enforcement::Enforcement, safety::remedy},
    },
    ids::{GuildId, RoleId},
    store::{
        guild_gates, guild_roles, mapped_roles,
        role_mappings::{self, Adding, Sold},
        stripe_connections,
    },
};

use super::{
    activity::write_down,
    guild::known,
    text::{held_up, lines, when},
};

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

/// What became of a role, and what to do about it.
const DELETED: &str = "was deleted in Discord: nobody can be given it. Map another role to what it was sold by (`nexrole map add`)";
const REPLACED: &str = "was deleted in Discord; what it was sold by gives another role";

/// Runs a command.
pub(super) async fn run(pool: &Pool, command: MapCommand) -> anyhow::Result<()> {
    match command {
        MapCommand::Add { guild, price, product, role } => add(pool, guild, price, product, role).await,
        MapCommand::List { guild } => list(pool, guild).await,
        MapCommand::Preview { guild, role } => preview(pool, guild, role).await,
        MapCommand::Enforce { guild, role, observe } => {
            let wanted = if observe { Enforcement::Observe } else { Enforcement::On };
            enforce(pool, guild, role, wanted).await
        }
    }
}

async fn add(
    pool: &Pool,
    guild: GuildId,
    price: Option<String>,
    product: Option<String>,
    role: RoleId,
) -> anyhow::Result<()> {
    let sold = match (price, product) {
        (Some(price), None) => Sold::Price(price.parse().context("--price")?),
        (None, Some(product)) => Sold::Product(product.parse().context("--product")?),
        _ => bail!("give either --price or --product"),
    };
    if role.get() == guild.get() {
        bail!("role {role} is @everyone, which every member has; give the id of another role");
    }
    let mut tx = tenant::begin(pool, guild).await.context("the database cannot be reached")?;
    stripe_connections::ensure_guild(&mut tx).await?;
    let added = role_mappings::add(&mut tx, &sold, role).await?;
    tx.commit().await?;
    match added {
        Adding::Added(0) => println!("Mapped. Nobody is known to pay for it yet."),
        Adding::Added(concerned) => {
            println!("Mapped. {concerned} known subscription(s) are being looked at again.");
        }
        Adding::AlreadySo => println!("It was mapped already."),
        Adding::Dangerous(why) => {
            bail!("role {role} must not be given to whoever pays: {why}. {}", remedy(&why))
        }
    }
    println!(
        "If members hold the role already, it is only observed at first; if it gives power over the server, it is \
         suspended: `nexrole map list --guild {guild}`."
    );
    Ok(())
}

async fn list(pool: &Pool, guild: GuildId) -> anyhow::Result<()> {
    let mut tenant = known(pool, guild).await?;
    let roles = mapped_roles::list(&mut tenant).await?;
    let deleted = guild_roles::deleted(&mut tenant).await?;
    let unreplaced = guild_roles::unreplaced(&mut tenant, &deleted).await?;
    if let Some(closed) = guild_gates::closed(&mut tenant).await? {
        println!("Nothing is changed in this server at the moment. {}.", held_up(closed));
    }
    if roles.is_empty() {
        println!("Nothing is mapped yet: nexrole map add --guild {guild} --price price_… --role …");
    }
    let now = shared::clock::now();
    for role in roles {
        let state = match (role.enforcement, role.holders) {
            _ if unreplaced.contains(&role.role_id) => DELETED.to_owned(),
            _ if deleted.contains(&role.role_id) => REPLACED.to_owned(),
            (Enforcement::Unseen, _) => "waits for the bot to look who holds it".to_owned(),
            (Enforcement::Observe, Some(holders)) if holders > 0 => {
                format!(
                    "only observed ({holders} had it before): `nexrole map preview`, then `nexrole map enforce`"
                )
            }
            (Enforcement::Observe, _) => "only observed: `nexrole map enforce` turns it on".to_owned(),
            (Enforcement::On, _) => "follows payments".to_owned(),
        };
        println!("role {}  {state}", role.role_id);
        if let Some(danger) = role.danger {
            println!(
                "    SUSPENDED: {danger}. Nobody is given it; who has it keeps it while they pay. {}.",
                remedy(&danger)
            );
        }
        if let Some(probe_at) = role.probe_at {
            let why = refusal::of_role(role.code.map(i32::cast_unsigned));
            // The bot has not run since.
            let again = if probe_at > now { when(probe_at) } else { "as soon as the bot runs".to_owned() };
            println!("    REFUSED: {why}. Changes of it wait; tried again {again}, or when roles change.");
        }
        for sold in role.sold {
            println!("    {sold}");
        }
    }
    Ok(())
}

async fn preview(pool: &Pool, guild: GuildId, role: RoleId) -> anyhow::Result<()> {
    let mut tenant = known(pool, guild).await?;
    if !mapped_roles::list(&mut tenant).await?.iter().any(|mapped| mapped.role_id == role) {
        bail!("role {role} is not mapped; `nexrole map list --guild {guild}` shows those that are");
    }
    let preview = mapped_roles::preview(&mut tenant, role).await?;
    let is_deleted = guild_roles::deleted(&mut tenant).await?.contains(&role);
    write_down(tenant, Activity::PreviewRead, None).await?;
    if is_deleted {
        println!("Role {role} {DELETED}.\n");
    }
    println!("Pay, and would have role {role} (who has it by hand already keeps it)");
    lines(&preview.gain, "nobody", |user| format!("member {user}"));
    if !preview.unbacked.is_empty() {
        println!(
            "\nWould have it too, by purchases on a Stripe account, or in a mode, that is not connected any more"
        );
        lines(&preview.unbacked, "nobody", |user| {
            format!("member {user}  (`nexrole why` says how to end it)")
        });
    }
    println!("\nHave it from Nexrole and do not pay any more: would lose it");
    lines(&preview.lose, "nobody", |user| format!("member {user}"));
    println!("\nPay, but are not linked to a Discord member");
    lines(&preview.unlinked, "nobody", |customer| format!("{customer}  (nexrole link add)"));
    println!("\nEverybody else who has the role keeps it: Nexrole takes only what it gave.");
    Ok(())
}

async fn enforce(pool: &Pool, guild: GuildId, role: RoleId, wanted: Enforcement) -> anyhow::Result<()> {
    let mut tx = known(pool, guild).await?;
    let concerned = mapped_roles::set(&mut tx, role, wanted).await?;
    let danger = guild_roles::danger(&mut tx, role).await?;
    let is_deleted = guild_roles::deleted(&mut tx).await?.contains(&role);
    tx.commit().await?;
    match (concerned, wanted) {
        (None, _) => {
            bail!("role {role} is not mapped; `nexrole map list --guild {guild}` shows those that are")
        }
        (Some(members), Enforcement::On) => {
            println!("Role {role} follows payments. {members} member(s) are being looked at.");
            if is_deleted {
                println!("But it {DELETED}.");
            }
            if let Some(danger) = danger {
                println!("But it is SUSPENDED: {danger}. Nobody is given it. {}.", remedy(&danger));
            }
        }
        (Some(_), _) => println!(
            "Role {role} is only observed: nothing is changed until it is turned on. A change under way in this moment may still be made."
        ),
    }
    Ok(())
}
