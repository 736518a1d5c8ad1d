//! Stage 3: what is to be done about the roles of a member who was read. In: the member and their work. Out: the calls to make;
//! everything else is decided here.

use std::collections::BTreeSet;

use shared::{
    domain::{
        delivery::{
            decision::{Unread, unread},
            without_call,
        },
        roles::{
            grant::{self, Seen, Step},
            plan::{Member, Planned, plan},
            work::{MemberWork, RoleWork},
        },
    },
    ids::RoleId,
};

use super::{
    context::{Clock, Context},
    progress::{Ended, Progress},
    role_safety::{self, Clearance},
};
use crate::discord::client::RoleCall;

/// A call that is to be made.
pub(super) struct Call<'a> {
    pub(super) work: &'a RoleWork,
    pub(super) planned: Planned,
    pub(super) call: RoleCall,
}

pub(super) async fn calls<'a>(
    cx: &Context<'_>,
    work: &'a MemberWork,
    member: &Member,
    clock: Clock,
    progress: &mut Progress,
) -> Result<Vec<Call<'a>>, Ended> {
    let planned = plan(work.roles.iter().map(|role| &role.view), member, clock.now());
    for (role, planned) in work.roles.iter().zip(&planned) {
        if let Some(decision) = without_call::asked(work.user, role, planned.step) {
            progress.add(decision)?;
        }
    }
    let cleared = cleared(cx, work, member, &planned, clock, progress).await?;
    let mut calls = Vec::new();
    for (role, planned) in work.roles.iter().zip(planned) {
        let call = |call| Call { work: role, planned, call };
        match planned.step {
            Step::Grant | Step::Adopt | Step::Revoke if progress.is_refused(role) => {
                progress.add(without_call::not_manageable(role))?;
            }
            Step::Grant if cleared.contains(&role.view.role) => calls.push(call(RoleCall::Add)),
            Step::Adopt if cleared.contains(&role.view.role) => {
                progress.add(without_call::found(work.user, role, planned, clock.now()))?;
            }
            // Decided already: it must not be given, nor become ours. What we gave is taken all the same.
            Step::Grant | Step::Adopt => {}
            Step::Revoke => calls.push(call(RoleCall::Remove)),
            _ => progress.add(without_call::found(work.user, role, planned, clock.now()))?,
        }
    }
    Ok(calls)
}

/// Which of the roles that are to be given, or to become ours, may be; about the others it is decided. Asked for each member, because a
/// role may become dangerous at any time.
async fn cleared(
    cx: &Context<'_>,
    work: &MemberWork,
    member: &Member,
    planned: &[Planned],
    clock: Clock,
    progress: &mut Progress,
) -> Result<BTreeSet<RoleId>, Ended> {
    let given = work
        .roles
        .iter()
        .zip(planned)
        .filter(|(_, planned)| matches!(planned.step, Step::Grant | Step::Adopt));
    let given: Vec<_> = given.map(|(role, _)| role).filter(|role| !progress.is_refused(role)).collect();
    let wanted: BTreeSet<RoleId> = given.iter().map(|role| role.view.role).collect();
    if wanted.is_empty() {
        return Ok(wanted);
    }
    let (guild, until) = (cx.lease.guild, cx.lease.calls_until());
    let clearing = role_safety::clear(cx.pool, cx.discord, guild, &wanted, &mut progress.roles_read, until);
    let judged = match cx.unless_stopped(clearing).await.transpose()? {
        Some(Clearance::Known(judged)) => judged,
        Some(Clearance::Unread(outcome)) => {
            tracing::warn!(?outcome, "a server's roles could not be read");
            progress.add(unread(&given, Unread::Roles, &outcome, shared::clock::jitter()))?;
            return Ok(BTreeSet::new());
        }
        Some(Clearance::Changing) => {
            for role in given {
                progress.add(without_call::changing(role))?;
            }
            return Ok(BTreeSet::new());
        }
        Some(Clearance::NoTime) | None => return Err(Ended::Turn),
    };
    let mut cleared = BTreeSet::new();
    for role in given {
        let (view, now) = (role.view, clock.now());
        match judged.get(&view.role) {
            Some(None) => drop(cleared.insert(view.role)),
            Some(Some(danger)) => {
                let withheld = grant::withhold(view.grant, member.seen(view.role), now);
                progress.add(without_call::suspended(work.user, role, Some(withheld), danger, now))?;
            }
            // Just read, and not in the list.
            None => {
                let (known, _) = grant::check(view.grant, Seen::Absent, view.wanted, now);
                progress.add(without_call::not_listed(work.user, role, known, now))?;
            }
        }
    }
    Ok(cleared)
}
