//! What is held because it would take a role from too many within a day. In: perhaps a role, and a member. Out: [`HeldRole`]s.

use std::collections::{BTreeMap, BTreeSet};

use super::{ActionError, begin_known};
use crate::{
    clock::Timestamp,
    db::{authorized::Authorized, pool::Pool},
    ids::{RoleId, UserId},
    store::role_holds,
};

/// A role that is not taken from members until the owner agrees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRole {
    pub role: RoleId,
    /// When the first of them was to lose it.
    pub since: Timestamp,
    /// Why it is held, in words; not the same for all, perhaps.
    pub why: BTreeSet<String>,
    /// From whom, by why it was to be taken.
    pub members: BTreeMap<String, Vec<UserId>>,
}

impl HeldRole {
    /// From how many members it is not taken.
    pub fn count(&self) -> usize {
        self.members.values().map(Vec::len).sum()
    }

    /// Who they are.
    pub fn all(&self) -> Vec<UserId> {
        self.members.values().flatten().copied().collect()
    }
}

/// By role; nothing is changed.
pub async fn held(
    pool: &Pool,
    by: &Authorized,
    role: Option<RoleId>,
    member: Option<UserId>,
) -> Result<Vec<HeldRole>, ActionError> {
    let mut tenant = begin_known(pool, by).await?;
    let mut roles: BTreeMap<RoleId, HeldRole> = BTreeMap::new();
    for job in role_holds::jobs(&mut tenant, role, member).await? {
        let held = roles.entry(job.role_id).or_insert_with(|| HeldRole {
            role: job.role_id,
            since: job.created_at,
            why: BTreeSet::new(),
            members: BTreeMap::new(),
        });
        held.since = held.since.min(job.created_at);
        held.why.insert(job.outcome);
        held.members.entry(kind(&job.cause).to_owned()).or_default().push(job.user_id);
    }
    Ok(roles.into_values().collect())
}

/// A cause without the object that it names first, and without the event: many members have the same.
fn kind(cause: &str) -> &str {
    let cause = cause.split_once(" (evt_").map_or(cause, |(before, _)| before);
    match cause.split_once(' ') {
        Some((id, rest)) if id.starts_with("sub_") || id.starts_with("cs_") => rest,
        _ => cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_of_one_kind_are_one() {
        for (cause, expected) in [
            (
                "sub_1 is active, without what gives the role (evt_1)",
                "is active, without what gives the role",
            ),
            ("cs_test_1 is paid", "is paid"),
            ("price price_1 is not mapped to it any more", "price price_1 is not mapped to it any more"),
            ("sub_1", "sub_1"),
        ] {
            assert_eq!(kind(cause), expected);
        }
    }
}
