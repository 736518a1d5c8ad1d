//! Stage 2: what Discord shows of a member. In: the member's work. Out: the member, or decisions if that cannot be known or is not
//! worth a call.

use std::time::Duration;

use shared::domain::{
    delivery::{
        decision::{Unread, unread},
        outcome::CallOutcome,
        without_call,
    },
    roles::{
        joining,
        plan::Member,
        work::{MemberWork, RoleWork},
    },
};

use super::{
    context::{Clock, Context},
    progress::{Ended, Progress},
};
use crate::discord::client::MemberAnswer;

/// A member as Discord shows them.
pub(super) struct Observed {
    pub(super) member: Member,
    /// No other member of the guild may be read for so long.
    pub(super) bucket_wait: Option<Duration>,
}

pub(super) async fn member(
    cx: &Context<'_>,
    work: &MemberWork,
    clock: Clock,
    progress: &mut Progress,
) -> Result<Observed, Ended> {
    let is_refused = |role: &RoleWork| progress.is_refused(role);
    if let Some(decisions) = without_call::unread_member(work, is_refused, clock.now()) {
        for decision in decisions {
            progress.add(decision)?;
        }
        return Err(Ended::Member);
    }
    if cx.stop.is_cancelled() {
        return Err(Ended::Turn);
    }
    let reading = cx.discord.member(cx.lease.guild, work.user, cx.lease.calls_until());
    let Some(Ok(MemberAnswer { member, bucket_wait })) = cx.unless_stopped(reading).await else {
        return Err(Ended::Turn);
    };
    let member = match member {
        // Not known yet: that says nothing about what they hold.
        Ok(Member::Absent) if joining::heard(work.jobs()).is_some() => Err(CallOutcome::MemberGone),
        member => member,
    };
    match member {
        Ok(member) => {
            progress.reached = true;
            Ok(Observed { member, bucket_wait })
        }
        Err(outcome) => {
            tracing::warn!(?outcome, "a member could not be read");
            let roles: Vec<_> = work.roles.iter().collect();
            progress.add(unread(&roles, Unread::Member, &outcome, shared::clock::jitter()))?;
            Err(Ended::Member)
        }
    }
}
