//! `nexrole map list`.

use shared::{
    db::pool::Pool,
    domain::roles::{enforcement::Enforcement, safety::remedy},
    ids::GuildId,
    store::{guild_gates, guild_roles, mapped_roles},
    views::{
        refusal::{held_up, of_role},
        terminal,
    },
};

use crate::cli::{
    guild::known,
    text::{DELETED, when},
};

/// Another role was mapped in its place.
const REPLACED: &str = "was deleted in Discord; what it was sold by gives another role";

pub(super) async fn show(pool: &Pool, guild: GuildId) -> anyhow::Result<()> {
    let mut tenant = known(pool, guild).await?;
    let roles = mapped_roles::list(&mut tenant).await?;
    let deleted = guild_roles::deleted(&mut tenant).await?;
    let unreplaced = guild_roles::unreplaced(&mut tenant, &deleted).await?;
    if let Some(closed) = guild_gates::closed(&mut tenant).await? {
        println!("Nothing is changed in this server at the moment. {}.", terminal::text(&held_up(closed)));
    }
    if roles.is_empty() {
        println!("Nothing is mapped yet: nexrole map add --guild {guild} --price price_… --role …");
    }
    let now = shared::clock::now();
    for role in roles {
        let state = match (role.enforcement, role.holders) {
            _ if unreplaced.contains(&role.role_id) => DELETED.to_owned(),
            _ if deleted.contains(&role.role_id) => REPLACED.to_owned(),
            (Enforcement::Unseen, _) => "waits for the bot to look who holds it".to_owned(),
            (Enforcement::Observe, Some(holders)) if holders > 0 => {
                format!(
                    "only observed ({holders} had it before): `nexrole map preview`, then `nexrole map enforce`"
                )
            }
            (Enforcement::Observe, _) => "only observed: `nexrole map enforce` turns it on".to_owned(),
            (Enforcement::On, _) => "follows payments".to_owned(),
        };
        println!("role {}  {state}", role.role_id);
        if let Some(danger) = role.danger {
            println!(
                "    SUSPENDED: {danger}. Nobody is given it; who has it keeps it while they pay. {}.",
                remedy(&danger)
            );
        }
        if let Some(probe_at) = role.probe_at {
            let why = terminal::text(&of_role(role.code));
            // The bot has not run since.
            let again = if probe_at > now { when(probe_at) } else { "as soon as the bot runs".to_owned() };
            println!("    REFUSED: {why}. Changes of it wait; tried again {again}, or when roles change.");
        }
        for sold in role.sold {
            println!("    {sold}");
        }
    }
    Ok(())
}
