//! `nexrole import`: who had a role before Nexrole, from stdin. Text on stdout.

use std::io::{IsTerminal as _, Read as _};

use anyhow::{Context, bail};
use shared::{
    actions::import::{Import, import},
    db::{authorized::Authorized, pool::Pool},
    domain::entitlement::{given::LastDay, member_list},
    ids::{GuildId, RoleId},
    views::{access_given, terminal},
};

use super::{guild::failed, text::say};

/// Of which role, and until when.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The server's id
    #[arg(long)]
    guild: GuildId,
    /// The role's id; something must be mapped to it
    #[arg(long)]
    role: RoleId,
    /// The last day on which having had it is a reason, in UTC: 2027-01-31
    #[arg(long, value_name = "DAY", value_parser = LastDay::parse)]
    sunset: Option<LastDay>,
}

pub(super) async fn run(pool: &Pool, arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { guild, role, sunset } = *arguments;
    let by = Authorized::operator(pool, guild)?;
    let members = match member_list::parse(&list()?) {
        Ok(members) if members.is_empty() => bail!("nobody is on the list; nothing was changed"),
        Ok(members) => members,
        Err(bad) => bail!(terminal::render(&access_given::bad_list(&bad))),
    };
    let wanted = Import { members, role, sunset: sunset.map(LastDay::end) };
    let outcome = import(pool, &by, &wanted).await.map_err(|error| failed(guild, error))?;
    say(access_given::imported(guild, &wanted, &outcome))
}

fn list() -> anyhow::Result<String> {
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        bail!("give the list on stdin, a Discord id in each line: nexrole import … < members.txt");
    }
    let mut text = String::new();
    stdin.read_to_string(&mut text).context("the list on stdin cannot be read")?;
    Ok(text)
}
