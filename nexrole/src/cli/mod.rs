//! The operator's commands: the same store functions as everything else. Text on stdout, errors with their fix.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use clap::Subcommand;
use shared::db::pool::Pool;
use shared::{
    config::Env,
    db::{
        migrate,
        pg_roles::Login,
        pool,
        tenant::{self, Tenant},
    },
    domain::{
        activity::Activity,
        delivery::refusal,
        job::JobOrigin,
        roles::{enforcement::Enforcement, grant::GrantState},
    },
    ids::{ConnectionId, CustomerId, GuildId, UserId},
    store::{
        access_sources,
        member_links::{self, Linking, Proof},
        stripe_connections,
        stripe_events::ObjectKind,
        stripe_sync, why,
    },
};

use crate::settings;
use guild::known;
use text::{customer_option, dispute, held_up, lines, when};

mod activity;
mod catalogue;
mod connect;
mod erase;
mod export;
mod guild;
mod map;
pub(crate) mod text;

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
        command: LinkCommand,
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
    /// Connect a server's Stripe account; the secrets are sealed with ENCRYPTION_KEYS
    Connect(connect::Arguments),
    /// List the Stripe connections
    Connections,
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
    /// Forget a member: their roles are taken back, and everything about them goes
    Erase(erase::Arguments),
    /// List what the server's owner sells at Stripe, and which roles it gives
    Catalogue {
        /// The server's id
        #[arg(long)]
        guild: GuildId,
    },
}

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

/// Runs a command.
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
        Command::Link { command: LinkCommand::Add { guild, customer, user } } => {
            link(&pool, guild, &customer, user).await
        }
        Command::Link { command: LinkCommand::Remove { guild, customer } } => {
            unlink(&pool, guild, &customer).await
        }
        Command::Why { guild, member } => explain(&pool, guild, member).await,
        Command::Connect(arguments) => connect::run(env, &pool, &arguments).await,
        Command::Connections => list(&pool).await,
        Command::Export { guild, format } => export::run(&pool, guild, format).await,
        Command::Activity { guild, lines } => activity::show(&pool, guild, lines).await,
        Command::Erase(arguments) => erase::run(&pool, &arguments).await,
        Command::Catalogue { guild } => catalogue::show(&pool, guild).await,
    }
}

async fn link(pool: &Pool, guild: GuildId, customer: &CustomerId, user: UserId) -> anyhow::Result<()> {
    let mut tx = tenant::begin(pool, guild).await.context("the database cannot be reached")?;
    let connection = the_connection(&mut tx).await?;
    // First the object's row, then the link: the order in which the gateway locks them too.
    stripe_sync::mark_dirty(
        &mut tx,
        connection,
        ObjectKind::Customer,
        &[customer.to_string()],
        JobOrigin::Command,
    )
    .await?;
    let linking = member_links::link(&mut tx, connection, customer, user, Proof::Owner).await?;
    tx.commit().await?;
    match linking {
        Linking::Linked => println!("Linked. What {customer} pays for is being read from Stripe."),
        Linking::AlreadySo => println!("{customer} was linked to {user} already."),
        Linking::TakenBy(holder) => bail!(
            "{customer} is linked to {holder}; a link does not move by itself: first `nexrole link remove --guild {guild} \
             {}`",
            customer_option(customer.as_str())
        ),
    }
    Ok(())
}

async fn unlink(pool: &Pool, guild: GuildId, customer: &CustomerId) -> anyhow::Result<()> {
    let mut tx = known(pool, guild).await?;
    // On whatever connection: also one that is not active any more has links, and what they gave.
    let known = member_links::connections_of(&mut tx, customer).await?;
    // First the objects' rows, then mirror and links, as above. What is not connected cannot be read.
    for (connection, _) in known.iter().filter(|(_, active)| *active) {
        stripe_sync::mark_dirty(
            &mut tx,
            *connection,
            ObjectKind::Customer,
            &[customer.to_string()],
            JobOrigin::Command,
        )
        .await?;
    }
    let (mut holders, mut named) = (BTreeSet::new(), Vec::new());
    for (connection, _) in &known {
        named.extend(member_links::forget_named(&mut tx, *connection, customer).await?);
        holders.extend(member_links::unlink(&mut tx, *connection, customer).await?);
    }
    let ended = access_sources::end_unbacked(&mut tx, customer).await?;
    tx.commit().await?;
    for holder in &holders {
        println!(
            "{customer} is not {holder}'s any more. If its metadata at Stripe names somebody, it is linked to them now."
        );
    }
    if ended > 0 {
        println!(
            "{ended} reason(s) for a role ended that came from a Stripe account, or mode, that is not connected any more."
        );
    }
    for (subscription, member) in &named {
        println!(
            "{subscription} is not {member}'s any more, unless its own metadata at Stripe still names them."
        );
    }
    if holders.is_empty() && named.is_empty() && ended == 0 {
        println!("{customer} was linked to nobody.");
    }
    Ok(())
}

/// The guild's one active connection.
async fn the_connection(tenant: &mut Tenant) -> anyhow::Result<ConnectionId> {
    let guild = tenant.guild();
    let mut active = stripe_connections::of_guild(tenant).await?;
    active.retain(|connection| connection.state == "active");
    match &active[..] {
        [] => bail!("server {guild} has no Stripe connection yet: start the gateway with GUILD_ID={guild}"),
        [one] => Ok(one.connection_id),
        several => bail!(
            "server {guild} has {} Stripe connections; linking by hand takes exactly one so far",
            several.len()
        ),
    }
}

async fn list(pool: &Pool) -> anyhow::Result<()> {
    let mut across = pool.across().await.context("the database cannot be reached")?;
    let connections = stripe_connections::list(&mut across).await?;
    if connections.is_empty() {
        println!(
            "No Stripe connection yet: start the gateway with GUILD_ID, STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET."
        );
    }
    for c in connections {
        let mode = if c.livemode { "live" } else { "test" };
        println!(
            "server {}  {mode}  {}  {}  /webhooks/stripe/{}",
            c.guild_id, c.state, c.label, c.endpoint_id
        );
    }
    Ok(())
}

async fn explain(pool: &Pool, guild: GuildId, member: UserId) -> anyhow::Result<()> {
    let mut tenant = known(pool, guild).await?;
    let story = why::story(&mut tenant, member).await?;
    activity::write_down(tenant, Activity::MemberRead, Some(member)).await?;
    println!("Member {member} of server {guild}");
    println!("\nStripe customers that are this member");
    lines(&story.customers, "none: link one with `nexrole link add`, or by metadata at Stripe", |customer| {
        let why::Customer { customer_id, holder, named } = customer;
        match named {
            Some(named) if named != holder => {
                format!("{customer_id}  {}", dispute(guild, customer_id, *holder, *named))
            }
            _ => customer_id.clone(),
        }
    });
    if !story.subscriptions.is_empty() {
        println!("\nSubscriptions whose own metadata names this member");
        lines(&story.subscriptions, "none", |(subscription, customer)| {
            format!("{subscription} of {customer}")
        });
    }
    if !story.for_others.is_empty() {
        println!("\nSubscriptions of theirs that are for others");
        lines(&story.for_others, "none", |(subscription, customer, other)| {
            format!(
                "{subscription} of {customer}  is {other}'s: its own metadata at Stripe names them, and counts first"
            )
        });
    }
    println!("\nReasons for a role");
    lines(&story.sources, "none: nothing this member pays for is mapped to a role", |source| {
        let state = match (source.enforcement, &source.danger) {
            _ if story.deleted.contains(&source.role_id) => {
                "  (the role was deleted in Discord: `nexrole map list` says what to do)".to_owned()
            }
            (Some(_), Some(danger)) => {
                format!("  (the role is suspended: {danger}; `nexrole map list` says what to do)")
            }
            (Some(Enforcement::On), None) => String::new(),
            (Some(Enforcement::Unseen), None) => {
                "  (waits for the bot to look who holds the role)".to_owned()
            }
            (Some(Enforcement::Observe), None) => {
                "  (the role is only observed: see `nexrole map preview`)".to_owned()
            }
            (None, _) => "  (the role is not mapped)".to_owned(),
        };
        let since = when(source.changed_at);
        let unbacked = unbacked(guild, source).unwrap_or_default();
        format!(
            "role {}  {}  {} since {since}{state}{unbacked}",
            source.role_id, source.state, source.evidence
        )
    });
    println!("\nRoles that Discord holds because of us");
    lines(&story.held, "none", |held| {
        if story.deleted.contains(&held.role_id) {
            format!("role {}  was deleted in Discord: nobody has it any more", held.role_id)
        } else {
            format!("role {}  {}", held.role_id, held_words(held))
        }
    });
    println!("\nRole changes that wait");
    let now = shared::clock::now();
    if let Some(closed) = story.closed {
        println!("  {}", held_up(closed));
    }
    lines(&story.jobs, "none", |job| {
        let outcome = match (&job.outcome, job.probe_at) {
            (Some(outcome), _) => outcome.clone(),
            (None, Some(_)) => refusal::of_role(job.code.map(i32::cast_unsigned)),
            (None, None) => "not tried yet".to_owned(),
        };
        let at = refusal::tried_at(job.due_at, story.closed, job.probe_at);
        let next = if at > now {
            format!("next look {}", when(at))
        } else {
            format!("due since {}, when the bot runs and has done what is before it", when(at))
        };
        format!("{} role {}  {}  {next}  {outcome}", job.action, job.role_id, job.state)
    });
    println!("\nWhat happened, newest first");
    lines(&story.history, "nothing yet", |event| {
        let role = event.role_id.map(|role| format!(" role {role}")).unwrap_or_default();
        format!("{}  {:<13} {role}  by {}: {}", when(event.at), event.action, event.actor, event.cause)
    });
    Ok(())
}

/// A live reason whose end no read will show: why, and what helps.
fn unbacked(guild: GuildId, source: &why::Source) -> Option<String> {
    let customer = source.customer_id.as_ref().filter(|_| source.state == "live")?;
    let why = if source.is_active {
        let since = when(source.missing_since?);
        format!("the Stripe account that is connected has no such subscription since {since}")
    } else {
        let mode = if source.livemode { "live" } else { "test" };
        format!("bought in {mode} mode on a Stripe connection that is not connected any more")
    };
    let customer = customer_option(customer);
    Some(format!(
        "  ({why}: it does not count as paying, and does not end by itself; `nexrole link remove --guild {guild} {customer}` ends it)"
    ))
}

fn held_words(held: &why::Held) -> String {
    if let Some(at) = held.taken_at {
        return format!("taken from them at Discord, not by us; seen {}", when(at));
    }
    let state = match (held.state, held.confirmed_at) {
        (GrantState::Intended, _) | (GrantState::Confirmed, None) => "being given".to_owned(),
        (GrantState::Confirmed, Some(at)) => format!("confirmed by Discord {}", when(at)),
        (GrantState::Ending, _) => "taken; looked at once more, to see that it stays away".to_owned(),
    };
    match held.absent_since {
        Some(at) => format!("{state}; not there, said Discord {}: it is asked once more", when(at)),
        None => state,
    }
}
