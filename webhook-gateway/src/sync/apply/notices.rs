//! What the member is told of a payment that failed, in the transaction that changes their access. In: what was read, and what it
//! gives. Out: rows for the bot to send.

use shared::{
    clock::Timestamp,
    db::tenant::Tenant,
    domain::{
        entitlement::facts::Facts,
        notices::{grace, series},
    },
    store::member_notices,
};

use super::access::{Given, Source};

/// Plans, moves and cancels the notices of a subscription.
pub(super) async fn follow(
    tenant: &mut Tenant,
    source: &Source<'_>,
    facts: &Facts<'_>,
    given: &Given,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    // Most reads find a subscription that is paid as it was: they cost no statement.
    if !given.is_news && !facts.is_behind() {
        return Ok(());
    }
    let Some(reading) = grace::read(facts, &given.mappings, &given.evaluation, now) else { return Ok(()) };
    let noted = member_notices::of_source(tenant, &source.key).await?;
    let steps = series::follow(&noted, source.user, &reading, now);
    member_notices::change(tenant, &source.key, &steps).await
}
