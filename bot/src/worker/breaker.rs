//! Between stages 3 and 4: a role that would be taken from too many within a day is held. In: the calls that are planned. Out: those
//! that may be made, counted durably; about the others it is decided.
//!
//! What was counted stays counted: a crash after it, and a call that fails, take none more than the limit.

use shared::{
    db::{pool::within, tenant},
    domain::{
        activity::{Activity, ActivityEntry},
        delivery::{
            breaker::{self, Evidence, Verdict},
            without_call,
        },
    },
    ids::{RoleId, UserId},
    store::{
        activity_log,
        role_grants::{self, Fence},
        role_holds, role_revokes,
    },
};

use super::{
    context::Context,
    plan::Call,
    progress::{Ended, Progress},
};
use crate::discord::client::RoleCall;

/// Said of what joins a job that is held.
const HELD_BEFORE: &str = "held: the owner is to approve or discard it first (`nexrole held`)";

pub(super) async fn pass<'a>(
    cx: &Context<'_>,
    member: UserId,
    calls: Vec<Call<'a>>,
    progress: &mut Progress,
) -> Result<Vec<Call<'a>>, Ended> {
    let mut passed = Vec::new();
    let mut asking = Vec::new();
    for call in calls {
        let evidence = Evidence::from(call.work.ended_by);
        if call.call == RoleCall::Add || evidence == Evidence::Approved {
            passed.push(call);
        } else if call.work.is_held() {
            progress.add(without_call::held(member, call.work, call.planned, HELD_BEFORE))?;
        } else {
            asking.push((call, evidence));
        }
    }
    if asking.is_empty() {
        return Ok(passed);
    }
    let asked: Vec<_> = asking.iter().map(|(call, evidence)| (call.work.view.role, *evidence)).collect();
    let Some(held) = within(ask(cx, member, &asked)).await? else { return Err(Ended::Turn) };
    for ((call, _), why) in asking.into_iter().zip(held) {
        match why {
            None => passed.push(call),
            Some(why) => progress.add(without_call::held(member, call.work, call.planned, &why))?,
        }
    }
    Ok(passed)
}

/// For each role why it is held, in words, or `None`: it may be taken, and is counted. `None` of all: the lease is lost.
async fn ask(
    cx: &Context<'_>,
    member: UserId,
    roles: &[(RoleId, Evidence)],
) -> Result<Option<Vec<Option<String>>>, sqlx::Error> {
    let guild = cx.lease.guild;
    let mut tenant = tenant::begin(cx.pool, guild).await?;
    if role_grants::fence(&mut tenant, cx.lease.owner).await? == Fence::Lost {
        return Ok(None);
    }
    let (mut answers, mut begun) = (Vec::new(), Vec::new());
    for &(role, evidence) in roles {
        let known = role_revokes::known(&mut tenant, member, role, evidence).await?;
        let is_tried_again = known.is_counted && evidence != Evidence::Unmapped;
        let verdict = if is_tried_again { Verdict::Go } else { breaker::judge(evidence, known.counts) };
        answers.push(match verdict {
            Verdict::Go => {
                role_revokes::count(&mut tenant, member, role, evidence).await?;
                None
            }
            Verdict::Hold { limit } => {
                let why = breaker::in_words(limit, known.counts.holders, evidence);
                if role_holds::begin(&mut tenant, role).await? {
                    let detail = format!("role {role}: {why}");
                    let entry = ActivityEntry { detail: Some(detail), ..Activity::RevokesHeld.into() };
                    activity_log::record(&mut tenant, entry).await?;
                    begun.push((role, why.clone()));
                }
                Some(why)
            }
        });
    }
    tenant.commit().await?;
    for (role, why) in begun {
        tracing::error!(guild.id = %guild, role.id = %role, why,
            "too many members would lose a role within a day: the rest is held until it is approved or discarded (nexrole held)");
    }
    Ok(Some(answers))
}
