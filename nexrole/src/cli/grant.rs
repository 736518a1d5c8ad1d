//! `nexrole grant`: a role that is given by hand. Text on stdout.

use anyhow::bail;
use shared::{
    actions::grant::{Grant, Granted, grant},
    clock::{self, Timestamp},
    db::{authorized::Authorized, pool::Pool},
    domain::{
        entitlement::given::{Days, LastDay, Reason},
        roles::{enforcement::Enforcement, safety::remedy},
    },
    ids::{GuildId, RoleId, UserId},
    views::terminal::time,
};

use super::guild::failed;

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
    match grant(pool, &by, &wanted).await.map_err(|error| failed(guild, error))? {
        Granted::NotMapped => bail!(
            "role {role} is not mapped, so nobody looked yet who holds it and what it may do: first map what it is sold by, \
             `nexrole map add --guild {guild} --role {role} …`"
        ),
        Granted::Everyone => {
            bail!("role {role} is @everyone, which every member has; give the id of another role")
        }
        Granted::Dangerous(why) => bail!("role {role} must not be given: {why}. {}", remedy(&why)),
        Granted::Over => bail!("that end has passed; nothing was changed"),
        Granted::AlreadySo => println!("It was given so already."),
        Granted::Begun(enforcement) => {
            println!("Given{}. {}", end(until), what_follows(guild, role, enforcement));
        }
        Granted::Changed(enforcement) => {
            println!("It was given already; now{}. {}", end(until), what_follows(guild, role, enforcement));
        }
    }
    Ok(())
}

fn end(until: Option<Timestamp>) -> String {
    match until {
        Some(until) => format!(" until {}", time(until)),
        None => " without an end".to_owned(),
    }
}

fn what_follows(guild: GuildId, role: RoleId, enforcement: Enforcement) -> String {
    match enforcement {
        Enforcement::On => "The bot gives the role if the member does not have it.".to_owned(),
        Enforcement::Unseen => {
            "The bot first checks who holds the role, as with every role that was just mapped.".to_owned()
        }
        Enforcement::Observe => format!(
            "Role {role} is only observed: nothing is changed until `nexrole map enforce --guild {guild} --role {role}` turns it on."
        ),
    }
}
