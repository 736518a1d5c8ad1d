//! `nexrole map remove`.

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Context, bail};
use shared::{
    actions::unmap::{preview, unmap},
    db::{authorized::Authorized, pool::Pool},
    domain::entitlement::mapping::Sold,
    ids::{GuildId, RoleId},
    views::{mapping_changes, terminal},
};

use crate::cli::{guild::failed, text::say};

pub(super) async fn run(
    pool: &Pool,
    guild: GuildId,
    sold: &Sold,
    role: RoleId,
    yes: bool,
) -> anyhow::Result<()> {
    let by = Authorized::operator(pool, guild)?;
    let concerned = preview(pool, &by, sold, role).await.map_err(|error| failed(guild, error))?;
    let Some(concerned) = concerned else {
        bail!(terminal::text(&mapping_changes::not_mapped_by(guild, sold, role)))
    };
    println!("{}", terminal::render(&mapping_changes::holders(role, &concerned)));
    if !yes && !is_agreed()? {
        bail!("nothing was changed");
    }
    let outcome = unmap(pool, &by, sold, role).await.map_err(|error| failed(guild, error))?;
    say(mapping_changes::unmapped(guild, sold, role, &outcome))
}

fn is_agreed() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("nothing was changed: there is no terminal to ask on. With --yes it is done without asking");
    }
    eprint!("\nRemove the mapping? [y/N] ");
    std::io::stderr().flush().context("stderr cannot be written")?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("stdin cannot be read")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
