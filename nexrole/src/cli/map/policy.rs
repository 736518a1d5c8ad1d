//! `nexrole map policy`.

use anyhow::{anyhow, bail};
use shared::{
    actions::set_policy::{PolicySet, set_policy},
    db::{authorized::Authorized, pool::Pool},
    domain::entitlement::{
        mapping::Sold,
        policy::{Policy, words::Choices},
    },
    ids::{GuildId, RoleId},
    store::role_mappings,
    views::{mapping_changes::not_mapped_by, policy, terminal},
};

use crate::cli::guild::{failed, known};

/// Shows the policy, or changes what `choices` names of it first.
pub(super) async fn run(
    pool: &Pool,
    guild: GuildId,
    sold: &Sold,
    role: RoleId,
    choices: &[String],
) -> anyhow::Result<()> {
    let not_mapped = || terminal::text(&not_mapped_by(guild, sold, role));
    if choices.is_empty() {
        let found = role_mappings::policy(&mut known(pool, guild).await?, sold, role).await?;
        show(sold, role, found.ok_or_else(|| anyhow!(not_mapped()))?);
        return Ok(());
    }
    let choices = Choices::parse(choices).map_err(|bad| anyhow!("{bad}\nNothing was changed."))?;
    let by = Authorized::operator(pool, guild)?;
    match set_policy(pool, &by, sold, role, &choices).await.map_err(|error| failed(guild, error))? {
        PolicySet::NotMapped => bail!(not_mapped()),
        PolicySet::AlreadySo(policy) => {
            show(sold, role, policy);
            println!("\nIt was so already.");
        }
        PolicySet::Set(policy, concerned) => {
            show(sold, role, policy);
            println!("\nSet. {concerned} known subscription(s) are being read again.");
        }
    }
    Ok(())
}

fn show(sold: &Sold, role: RoleId, found: Policy) {
    println!("{}", terminal::render(&policy::document(sold, role, found)));
}
