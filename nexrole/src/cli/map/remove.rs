//! `nexrole map remove`.

use std::io::{IsTerminal as _, Write as _};

use anyhow::{Context, bail};
use shared::{
    actions::unmap::{Holders, Unmapped, preview, unmap},
    db::{authorized::Authorized, pool::Pool},
    domain::entitlement::mapping::Sold,
    ids::{GuildId, RoleId},
};

use crate::cli::{
    guild::failed,
    text::{lines, not_mapped},
};

pub(super) async fn run(
    pool: &Pool,
    guild: GuildId,
    sold: &Sold,
    role: RoleId,
    yes: bool,
) -> anyhow::Result<()> {
    let by = Authorized::operator(pool, guild)?;
    let concerned = preview(pool, &by, sold, role).await.map_err(|error| failed(guild, error))?;
    let Some(concerned) = concerned else { bail!(not_mapped(guild, sold, role)) };
    show(&concerned, role);
    if !yes && !is_agreed()? {
        bail!("nothing was changed");
    }
    match unmap(pool, &by, sold, role).await.map_err(|error| failed(guild, error))? {
        Unmapped::NotMapped => bail!(not_mapped(guild, sold, role)),
        Unmapped::Removed(Holders { is_observed: true, .. }) => println!(
            "Removed. Role {role} is only observed: nobody loses it, unless `nexrole map enforce` turns it on."
        ),
        Unmapped::Removed(Holders { lose, .. }) => {
            println!("Removed. {} member(s) lose role {role}, as soon as the bot has taken it.", lose.len());
        }
    }
    Ok(())
}

fn show(Holders { lose, keep, is_observed }: &Holders, role: RoleId) {
    if *is_observed {
        println!(
            "Role {role} is only observed: nothing is taken while it is. Have it from Nexrole, by this alone"
        );
    } else {
        println!("Have role {role} from Nexrole by this alone: would lose it");
    }
    lines(lose, "nobody", |user| format!("member {user}"));
    println!("\nHave it from Nexrole, and keep it: something else gives it, too");
    lines(keep, "nobody", |user| format!("member {user}"));
    println!("\nEverybody else who has the role keeps it: Nexrole takes only what it gave.");
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
