//! `nexrole map preview`.

use anyhow::bail;
use shared::{
    db::pool::Pool,
    domain::activity::Activity,
    ids::{GuildId, RoleId},
    store::{guild_roles, mapped_roles},
};

use crate::cli::{
    activity::write_down,
    guild::known,
    text::{DELETED, lines},
};

pub(super) async fn show(pool: &Pool, guild: GuildId, role: RoleId) -> anyhow::Result<()> {
    let mut tenant = known(pool, guild).await?;
    if !mapped_roles::list(&mut tenant).await?.iter().any(|mapped| mapped.role_id == role) {
        bail!("role {role} is not mapped; `nexrole map list --guild {guild}` shows those that are");
    }
    let preview = mapped_roles::preview(&mut tenant, role).await?;
    let is_deleted = guild_roles::deleted(&mut tenant).await?.contains(&role);
    write_down(tenant, Activity::PreviewRead, None).await?;
    if is_deleted {
        println!("Role {role} {DELETED}.\n");
    }
    println!("Pay, and would have role {role} (who has it by hand already keeps it)");
    lines(&preview.gain, "nobody", |user| format!("member {user}"));
    if !preview.unbacked.is_empty() {
        println!(
            "\nWould have it too, by purchases on a Stripe account, or in a mode, that is not connected any more"
        );
        lines(&preview.unbacked, "nobody", |user| {
            format!("member {user}  (`nexrole why` says how to end it)")
        });
    }
    println!("\nHave it from Nexrole and do not pay any more: would lose it");
    lines(&preview.lose, "nobody", |user| format!("member {user}"));
    println!("\nPay, but are not linked to a Discord member");
    lines(&preview.unlinked, "nobody", |customer| format!("{customer}  (nexrole link add)"));
    println!("\nEverybody else who has the role keeps it: Nexrole takes only what it gave.");
    Ok(())
}
