//! What something that was bought gives now, against what it gave so far. In: what was read. Out: changed sources, jobs, audit.

use std::collections::BTreeSet;

use shared::{
    clock::Timestamp,
    db::tenant::Tenant,
    domain::{
        audit::Actor,
        entitlement::{
            bought::Bought,
            diff::{RoleEntitlement, Transition, transitions},
            ended_by::{self, EndedBy},
            evaluate::{Evaluation, State, evaluate},
            mapping::Mapping,
            source::SourceRef,
        },
        job::JobOrigin,
    },
    ids::{CustomerId, RoleId, UserId},
    store::{
        access_sources::{self, Because, Live},
        role_mappings,
    },
};

use super::context::{Context, Others, Outcome};

/// Something that was bought, as a source of access.
pub(super) struct Source<'a> {
    pub(super) key: SourceRef,
    /// What was read, in words.
    pub(super) in_words: &'a str,
    /// Whose it is.
    pub(super) user: Option<UserId>,
    /// Who paid, if Stripe can list what else they pay for.
    pub(super) customer: Option<&'a CustomerId>,
    /// Passed on to the outcome.
    pub(super) to_correct: Option<CustomerId>,
}

/// What it gives, and what that changed.
pub(super) struct Given {
    pub(super) outcome: Outcome,
    pub(super) evaluation: Evaluation,
    /// By which it was evaluated.
    pub(super) mappings: Vec<Mapping>,
    /// Whether anything is different from what our rows said: a beginning, an end, or when that will be.
    pub(super) is_news: bool,
}

/// What something that was bought gives, and how that differs from what our rows say.
pub(super) struct Judged {
    evaluation: Evaluation,
    /// By which it was evaluated.
    pub(super) mappings: Vec<Mapping>,
    pub(super) changes: BTreeSet<Transition>,
    /// Roles that end by themselves at another time than our rows say.
    pub(super) ends: Vec<(RoleEntitlement, Option<Timestamp>)>,
}

pub(super) async fn judge(
    tenant: &mut Tenant,
    source: &Source<'_>,
    bought: &impl Bought,
    now: Timestamp,
) -> Result<Judged, sqlx::Error> {
    let live = access_sources::live(tenant, &source.key).await?;
    let held: BTreeSet<RoleId> = live.iter().map(|live| live.given.role).collect();
    let mappings = role_mappings::concerning(tenant, bought.items(), &held).await?;
    let evaluation = evaluate(bought, &mappings, held, now);
    let changes = transitions(&live.iter().map(|live| live.given).collect(), &evaluation, source.user);
    let ends = changed_ends(&live, &evaluation, source.user);
    Ok(Judged { evaluation, mappings, changes, ends })
}

/// Whether it gives what our rows say. Writes nothing.
pub(super) async fn is_as_known(
    tenant: &mut Tenant,
    source: &Source<'_>,
    bought: &impl Bought,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let judged = judge(tenant, source, bought, now).await?;
    Ok(judged.changes.is_empty() && judged.ends.is_empty())
}

/// Begins and ends what it gives.
pub(super) async fn apply(
    tenant: &mut Tenant,
    context: Context<'_>,
    source: &Source<'_>,
    bought: &impl Bought,
    now: Timestamp,
) -> Result<Given, sqlx::Error> {
    let Context { origin, event, asked, .. } = context;
    let Judged { evaluation, mappings, changes, ends } = judge(tenant, source, bought, now).await?;
    let Source { key, in_words, customer, to_correct, .. } = source;
    if let (Others::Unknown, Some(customer)) = (context.others, *customer)
        && ends_the_last(tenant, key, &changes).await?
    {
        let outcome = Outcome { asks_for_others: Some(customer.clone()), ..Outcome::default() };
        return Ok(Given { outcome, evaluation, mappings, is_news: false });
    }
    for &change in &changes {
        let evidence = evaluation.evidence(in_words, change);
        let cause = event.map_or_else(|| evidence.clone(), |event| format!("{evidence} ({event})"));
        let ended_by = ended_by(bought, &evaluation, &mappings, change, asked, now);
        let because = Because { actor: Actor::Stripe, origin, ended_by, evidence: &evidence, cause: &cause };
        access_sources::apply(tenant, key, change, because).await?;
    }
    access_sources::set_until(tenant, key, &ends).await?;
    let is_news = !changes.is_empty() || !ends.is_empty();
    let outcome = Outcome {
        jobs: changes.len(),
        to_correct: to_correct.clone(),
        good_until: evaluation.until(),
        ..Outcome::default()
    };
    Ok(Given { outcome, evaluation, mappings, is_news })
}

/// Whether a change ends somebody's only reason for a role.
async fn ends_the_last(
    tenant: &mut Tenant,
    key: &SourceRef,
    changes: &BTreeSet<Transition>,
) -> Result<bool, sqlx::Error> {
    for change in changes {
        if let Transition::End(given) = *change
            && !access_sources::is_given_otherwise(tenant, key, given).await?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// By what a change ends access; `None`: it begins it, or nobody can tell.
fn ended_by(
    bought: &impl Bought,
    evaluation: &Evaluation,
    mappings: &[Mapping],
    change: Transition,
    asked: JobOrigin,
    now: Timestamp,
) -> Option<EndedBy> {
    let Transition::End(it) = change else { return None };
    let is_mapped = mappings.iter().any(|mapping| mapping.role == it.role);
    ended_by::of_read(bought, *evaluation.roles.get(&it.role)?, is_mapped, asked, now)
}

/// Of the roles that are due: those that end by themselves at another time than our rows say.
fn changed_ends(
    live: &[Live],
    evaluation: &Evaluation,
    user: Option<UserId>,
) -> Vec<(RoleEntitlement, Option<Timestamp>)> {
    let due = evaluation.roles.iter().filter(|(_, role)| role.state == State::Due);
    due.filter_map(|(&role, state)| {
        let given = RoleEntitlement { user: user?, role };
        let known = live.iter().find(|live| live.given == given).and_then(|live| live.until);
        (known != state.until).then_some((given, state.until))
    })
    .collect()
}
