//! `nexrole map policy`.

use anyhow::anyhow;
use shared::{
    actions::set_policy::set_policy,
    db::{authorized::Authorized, pool::Pool},
    domain::entitlement::{mapping::Sold, policy::words::Choices},
    ids::{GuildId, RoleId},
    store::role_mappings,
    views::{mapping_changes::not_mapped_by, policy, terminal},
};

use crate::cli::{
    guild::{failed, known},
    text::say,
};

/// Shows the policy, or changes what `choices` names of it first.
pub(super) async fn run(
    pool: &Pool,
    guild: GuildId,
    sold: &Sold,
    role: RoleId,
    choices: &[String],
) -> anyhow::Result<()> {
    if choices.is_empty() {
        let found = role_mappings::policy(&mut known(pool, guild).await?, sold, role).await?;
        let not_mapped = || anyhow!(terminal::text(&not_mapped_by(guild, sold, role)));
        println!("{}", terminal::render(&policy::document(sold, role, found.ok_or_else(not_mapped)?)));
        return Ok(());
    }
    let choices = Choices::parse(choices).map_err(|bad| anyhow!("{bad}\nNothing was changed."))?;
    let by = Authorized::operator(pool, guild)?;
    let outcome = set_policy(pool, &by, sold, role, &choices).await.map_err(|error| failed(guild, error))?;
    say(policy::set(guild, sold, role, &outcome))
}
