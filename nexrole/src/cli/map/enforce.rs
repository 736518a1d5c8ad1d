//! `nexrole map enforce`.

use anyhow::bail;
use shared::{
    actions::enforce::{Enforce, Enforced, enforce},
    db::{authorized::Authorized, pool::Pool},
    domain::roles::safety::remedy,
    ids::{GuildId, RoleId},
    views::{mappings, terminal},
};

use crate::cli::guild::failed;

pub(super) async fn run(pool: &Pool, guild: GuildId, role: RoleId, wanted: Enforce) -> anyhow::Result<()> {
    let by = Authorized::operator(pool, guild)?;
    match enforce(pool, &by, role, wanted).await.map_err(|error| failed(guild, error))? {
        Enforced::NotMapped => {
            bail!("role {role} is not mapped; `nexrole map list --guild {guild}` shows those that are")
        }
        Enforced::On { members, danger, is_deleted } => {
            println!("Role {role} follows payments. {members} member(s) are being looked at.");
            if is_deleted {
                println!("But it {}.", terminal::text(&mappings::deleted()));
            }
            if let Some(danger) = danger {
                println!("But it is SUSPENDED: {danger}. Nobody is given it. {}.", remedy(&danger));
            }
        }
        Enforced::Observed => println!(
            "Role {role} is only observed: nothing is changed until it is turned on. A change under way in this moment may still be made."
        ),
    }
    Ok(())
}
