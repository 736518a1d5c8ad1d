//! Explains why a member has, or lacks, roles. In: the member. Out: the explanation, and what it was made of. It changes nothing, and is
//! written down as a look at somebody's data.

use super::ActionError;
use crate::{
    clock,
    db::{authorized::Authorized, pool::Pool, tenant},
    domain::{
        activity::{Activity, ActivityEntry},
        explain::{Explanation, explain as explained},
    },
    ids::UserId,
    store::{
        activity_log, stripe_connections,
        why::{self, MemberReport},
    },
};

/// An explanation with its facts.
#[derive(Debug, Clone)]
pub struct MemberExplained {
    pub explanation: Explanation,
    pub report: MemberReport,
}

pub async fn explain(pool: &Pool, by: &Authorized, member: UserId) -> Result<MemberExplained, ActionError> {
    // As the login itself: an owner's role writes what owners decide, and need not see all of this.
    let mut tenant = tenant::begin(pool, by.guild()).await.map_err(ActionError::Unreachable)?;
    if !stripe_connections::knows_guild(&mut tenant).await? {
        return Err(ActionError::UnknownGuild);
    }
    let report = why::member_report(&mut tenant, member).await?;
    let entry = ActivityEntry { user: Some(member), ..Activity::MemberRead.into() };
    activity_log::record(&mut tenant, entry).await?;
    tenant.commit().await?;
    Ok(MemberExplained { explanation: explained(&report.facts, clock::now()), report })
}
