//! `nexrole grant`: a role that is given by hand. Text on stdout.

use shared::{
    actions::grant::{Grant, grant},
    clock,
    db::{authorized::Authorized, pool::Pool},
    domain::entitlement::given::{Days, LastDay, Reason},
    ids::{GuildId, RoleId, UserId},
    views::access_given,
};

use super::{guild::failed, text::say};

/// Who is given what, why, and until when.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The server's id
    #[arg(long)]
    guild: GuildId,
    /// The member's user id
    #[arg(long)]
    member: UserId,
    /// The role's id; something must be mapped to it
    #[arg(long)]
    role: RoleId,
    /// Why, in a line; `nexrole why` shows it
    #[arg(long, value_parser = Reason::parse)]
    reason: Reason,
    /// For how long, from now: 30d
    #[arg(long = "for", value_name = "DAYS", value_parser = Days::parse, conflicts_with = "until")]
    days: Option<Days>,
    /// Its last day, in UTC: 2026-12-31
    #[arg(long, value_name = "DAY", value_parser = LastDay::parse)]
    until: Option<LastDay>,
}

pub(super) async fn run(pool: &Pool, arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { guild, member, role, reason, days, until } = arguments;
    let by = Authorized::operator(pool, guild)?;
    let until = days.map(|days| days.after(clock::now())).or(until.map(LastDay::end));
    let wanted = Grant { member, role, reason, until };
    let outcome = grant(pool, &by, &wanted).await.map_err(|error| failed(guild, error))?;
    say(access_given::granted(guild, &wanted, &outcome))
}
