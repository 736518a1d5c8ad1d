//! `nexrole held`: roles that are not taken until the owner agrees, because they would be too many within a day. Text on stdout.

use anyhow::bail;
use clap::Subcommand;
use shared::{
    actions::{
        approve::approve,
        discard::discard,
        held::{HeldRole, held},
    },
    db::{authorized::Authorized, pool::Pool},
    domain::activity::Activity,
    ids::{GuildId, RoleId, UserId},
    views::{held as view, terminal},
};

use super::{
    activity::write_down,
    ask::is_agreed,
    guild::{failed, known},
    text::say,
};

/// Which server, and what is said to it.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Arguments {
    /// The server's id
    #[arg(long, required = true)]
    guild: Option<GuildId>,
    #[command(subcommand)]
    answer: Option<Answer>,
}

/// `nexrole held …`
#[derive(Debug, Subcommand)]
enum Answer {
    /// Have a held role taken from all who are to lose it, or from one of them; shows them first, and asks
    Approve(About),
    /// Leave a held role to all who are to lose it, or to one of them, as given by hand; shows them first, and asks
    Discard(About),
}

/// Whom an answer is about.
#[derive(Debug, Clone, Copy, clap::Args)]
struct About {
    /// The server's id
    #[arg(long)]
    guild: GuildId,
    /// The role's id
    #[arg(long)]
    role: RoleId,
    /// Of this member alone: their user id
    #[arg(long)]
    member: Option<UserId>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(pool: &Pool, arguments: &Arguments) -> anyhow::Result<()> {
    match (&arguments.answer, arguments.guild) {
        (Some(Answer::Approve(about)), _) => {
            let (by, shown) = agreed(pool, about, "Take the role from them?").await?;
            let members = approve(pool, &by, about.role, &shown).await;
            let members = members.map_err(|error| failed(about.guild, error))?;
            say(view::approved(about.guild, about.role, members.len()))
        }
        (Some(Answer::Discard(about)), _) => {
            let (by, shown) = agreed(pool, about, "Leave the role to them, whatever they pay?").await?;
            let members = discard(pool, &by, about.role, &shown).await;
            let members = members.map_err(|error| failed(about.guild, error))?;
            say(view::discarded(about.guild, about.role, members.len()))
        }
        (None, Some(guild)) => {
            let roles = look(pool, &Authorized::operator(pool, guild)?, None, None).await?;
            println!("{}", terminal::render(&view::document(guild, &roles)));
            Ok(())
        }
        (None, None) => bail!("--guild is missing"),
    }
}

/// What is held; that members' data was looked at is written down.
async fn look(
    pool: &Pool,
    by: &Authorized,
    role: Option<RoleId>,
    member: Option<UserId>,
) -> anyhow::Result<Vec<HeldRole>> {
    let guild = by.guild();
    let roles = held(pool, by, role, member).await.map_err(|error| failed(guild, error))?;
    write_down(known(pool, guild).await?, Activity::HeldRead, None).await?;
    Ok(roles)
}

/// Shows whom an answer is about, and asks. Answers who they are.
async fn agreed(pool: &Pool, about: &About, question: &str) -> anyhow::Result<(Authorized, Vec<UserId>)> {
    let About { guild, role, member, yes } = *about;
    let by = Authorized::operator(pool, guild)?;
    let roles = look(pool, &by, Some(role), member).await?;
    if roles.is_empty() {
        bail!(terminal::text(&view::none(guild)));
    }
    println!("{}", terminal::render(&view::document(guild, &roles)));
    if !yes && !is_agreed(question)? {
        bail!("nothing was changed");
    }
    Ok((by, roles.iter().flat_map(HeldRole::all).collect()))
}
