//! `nexrole import`: who had a role before Nexrole, from stdin. Text on stdout.

use std::io::{IsTerminal as _, Read as _};

use anyhow::{Context, bail};
use shared::{
    actions::import::{Import, Imported, import},
    db::{authorized::Authorized, pool::Pool},
    domain::{
        entitlement::{given::LastDay, member_list},
        roles::{enforcement::Enforcement, safety::remedy},
    },
    ids::{GuildId, RoleId},
    views::terminal::time,
};

use super::guild::failed;

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
        Err(bad) => {
            let lines: Vec<_> =
                bad.iter().map(|bad| format!("\n  line {}: {}", bad.number, bad.text)).collect();
            bail!("{} line(s) are no Discord id; nothing was changed{}", bad.len(), lines.concat());
        }
    };
    let wanted = Import { members, role, sunset: sunset.map(LastDay::end) };
    match import(pool, &by, &wanted).await.map_err(|error| failed(guild, error))? {
        Imported::NotMapped => bail!(
            "role {role} is not mapped, so nobody looked yet who holds it and what it may do: first map what it is sold by, \
             `nexrole map add --guild {guild} --role {role} …`"
        ),
        Imported::Everyone => {
            bail!("role {role} is @everyone, which every member has; give the id of another role")
        }
        Imported::Dangerous(why) => bail!("role {role} must not be given: {why}. {}", remedy(&why)),
        Imported::Over => bail!("that day has passed; nothing was changed"),
        Imported::Written { begun, changed, same, enforcement } => {
            println!("Imported: {begun} new, {changed} with another end than before, {same} as they were.");
            match wanted.sunset {
                Some(end) => println!("It is a reason to have role {role} until {}.", time(end)),
                None => println!("It is a reason to have role {role} without an end."),
            }
            println!(
                "Who has it now has it from somebody else, and keeps it whatever ends: Nexrole takes only what it gave."
            );
            if enforcement == Enforcement::Observe {
                println!(
                    "The role is only observed: nobody is given it until `nexrole map enforce --guild {guild} --role {role}` turns it on."
                );
            }
        }
    }
    Ok(())
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
