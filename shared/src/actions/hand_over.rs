//! A customer changes hands by its members' own word, and what it gives with it.
//!
//! In one transaction the old account loses each reason for a role and the new one gets it, as far as it is known; then Stripe is read
//! again. Nobody reads what is bought meanwhile: its objects are locked first.

use super::ActionError;
use crate::{
    db::tenant::Tenant,
    domain::{
        audit::Actor,
        entitlement::{
            diff::{RoleEntitlement, Transition},
            ended_by::EndedBy,
            source::SourceRef,
        },
        job::JobOrigin,
    },
    ids::{ConnectionId, CustomerId, UserId},
    store::{
        access_sources::{self, Because},
        linked_sources::{self, Linked},
        member_links::{self, Linking, Proof},
    },
};

/// A customer, and what it gives, from one member to another. The caller has locked what it bought.
pub(super) async fn hand_over(
    tenant: &mut Tenant,
    connection: ConnectionId,
    customer: &CustomerId,
    from: UserId,
    to: UserId,
) -> Result<(), ActionError> {
    let gives = linked_sources::of_customer(tenant, connection, customer, from).await?;
    let was = member_links::unlink(tenant, connection, customer, Actor::Member).await?;
    let linking = member_links::link(tenant, connection, customer, to, Proof::Moved).await?;
    if was != Some(from) || linking != Linking::Linked {
        // The caller has locked it, so it is theirs; if not, nothing of this is written.
        return Err(sqlx::Error::RowNotFound.into());
    }
    for Linked { source, live, evidence } in gives {
        // The old one's first, so that the bot takes before it gives.
        end(tenant, &source, live.given, MOVED).await?;
        let given = RoleEntitlement { user: to, role: live.given.role };
        let because = Because {
            actor: Actor::Member,
            origin: JobOrigin::Command,
            ended_by: None,
            evidence: &evidence,
            cause: MOVED,
        };
        access_sources::apply(tenant, &source, Transition::Begin(given), because).await?;
        access_sources::set_until(tenant, &source, &[(given, live.until)]).await?;
    }
    Ok(())
}

/// Ends what a link gives, by the word of whoever has it.
pub(super) async fn end(
    tenant: &mut Tenant,
    source: &SourceRef,
    given: RoleEntitlement,
    says: &str,
) -> Result<(), ActionError> {
    let evidence = format!("{source}: {says}");
    let because = Because {
        actor: Actor::Member,
        origin: JobOrigin::Command,
        // Somebody's own word about themselves is no mass revoke.
        ended_by: Some(EndedBy::Owner),
        evidence: &evidence,
        cause: &evidence,
    };
    Ok(access_sources::apply(tenant, source, Transition::End(given), because).await?)
}

const MOVED: &str = "its customer moved to another account, by the word of both";
