//! Turns a mapped role on, or has it only observed. In: the role. Out: [`Enforced`].

use super::{ActionError, begin_known};
use crate::{
    db::{authorized::Authorized, pool::Pool},
    domain::{
        audit::{AuditAction, AuditEntry, Change},
        roles::enforcement::Enforcement,
    },
    ids::RoleId,
    store::{audit_log, guild_roles, mapped_roles, role_jobs},
};

/// Why members are checked when a role is turned on.
const TURNED_ON: &str = "the role was turned on";

/// What is wanted of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enforce {
    /// It follows payments.
    On,
    /// Everything is computed and shown, nothing is changed.
    Observe,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enforced {
    NotMapped,
    /// It follows payments.
    On {
        /// How many members are checked; none if it was on before.
        members: u64,
        /// Why nobody is given it all the same.
        danger: Option<String>,
        /// It was deleted in Discord.
        is_deleted: bool,
    },
    /// It is only observed. A change under way may still be made.
    Observed,
}

pub async fn enforce(
    pool: &Pool,
    by: &Authorized,
    role: RoleId,
    wanted: Enforce,
) -> Result<Enforced, ActionError> {
    let mut tenant = begin_known(pool, by).await?;
    let Some(was) = mapped_roles::lock(&mut tenant, role).await? else { return Ok(Enforced::NotMapped) };
    let (enforcement, action) = match wanted {
        Enforce::On => (Enforcement::On, AuditAction::RoleEnforced),
        Enforce::Observe => (Enforcement::Observe, AuditAction::RoleObserved),
    };
    let mut members = 0;
    if was != enforcement {
        mapped_roles::set(&mut tenant, role, enforcement).await?;
        let change = Change::default().field("enforcement", Some(was.as_str()), Some(enforcement.as_str()));
        let entry = AuditEntry::new(by.actor(), action, format!("was {}", was.as_str()));
        audit_log::record(&mut tenant, &entry.role(role).change(change)).await?;
        if wanted == Enforce::On {
            members = role_jobs::enqueue_for_all(&mut tenant, role, TURNED_ON).await?;
            role_jobs::announce_with(&mut tenant).await?;
        }
    }
    let danger = guild_roles::danger(&mut tenant, role).await?;
    let is_deleted = guild_roles::deleted(&mut tenant).await?.contains(&role);
    tenant.commit().await?;
    Ok(match wanted {
        Enforce::On => Enforced::On { members, danger, is_deleted },
        Enforce::Observe => Enforced::Observed,
    })
}
