//! `nexrole give-back`: a role that somebody took from a paying member at Discord is given again. Text on stdout.

use anyhow::bail;
use shared::{
    actions::give_back::{GivenBack, give_back},
    db::{authorized::Authorized, pool::Pool},
    domain::roles::safety::remedy,
    ids::{GuildId, RoleId, UserId},
    views::terminal::time,
};

use super::guild::failed;

/// Who gets what back.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The server's id
    #[arg(long)]
    guild: GuildId,
    /// The member's user id
    #[arg(long)]
    member: UserId,
    /// The role's id
    #[arg(long)]
    role: RoleId,
}

pub(super) async fn run(pool: &Pool, arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { guild, member, role } = *arguments;
    let by = Authorized::operator(pool, guild)?;
    match give_back(pool, &by, member, role).await.map_err(|error| failed(guild, error))? {
        GivenBack::NotMapped => {
            bail!("role {role} is not mapped; `nexrole map list --guild {guild}` shows those that are")
        }
        GivenBack::NotDue => bail!(
            "nothing gives role {role} to member {member} now; `nexrole why --guild {guild} --member {member}` says what did"
        ),
        GivenBack::Observed => bail!(
            "role {role} is only observed: nothing is changed until `nexrole map enforce --guild {guild} --role {role}` turns it on"
        ),
        GivenBack::Dangerous(why) => {
            bail!("role {role} must not be given to whoever pays: {why}. {}", remedy(&why))
        }
        GivenBack::Asked { taken_at: Some(at) } => println!(
            "Somebody took role {role} from member {member} at Discord; that was seen {}. The bot gives it back.",
            time(at)
        ),
        GivenBack::Asked { taken_at: None } => println!(
            "The bot looks at member {member}, and gives role {role} if they do not have it. Nobody was seen to take it."
        ),
    }
    Ok(())
}
