//! What must hold after any crash. In: a settled world. Out: what is wrong with it; nothing, if all is well.

use std::collections::BTreeMap;

use sandbox::discord::Action;

use crate::support::world::World;

/// The events that Stripe was told had arrived.
pub(super) async fn acknowledged(world: &World) -> Vec<String> {
    let attempts = world.stripe.deliveries().await.expect("Stripe answers");
    attempts.into_iter().filter(|attempt| attempt.status == Some(200)).map(|attempt| attempt.event).collect()
}

/// Acknowledged events that are not there.
pub(super) async fn lost(world: &World, acknowledged: &[String]) -> Vec<String> {
    world.events_missing(acknowledged).await
}

/// What was done or written twice, or written and never done. In a settled world.
pub(super) async fn doubled(world: &World) -> Vec<String> {
    let unread = world.unanswered_events().await;
    let mut wrong = Vec::new();
    if unread > 0 {
        wrong.push(format!("{unread} events were never read"));
    }
    access(world, &mut wrong).await;
    roles(world, &mut wrong).await;
    wrong
}

/// A subscription of these tests gives access once and takes it once.
async fn access(world: &World, wrong: &mut Vec<String>) {
    let repeated = world.repeated_access_changes().await;
    let repeated = repeated.iter();
    wrong.extend(repeated.map(|(action, purchase, count)| format!("{action} {count} times for {purchase}")));
}

/// Per member the audited transitions are granted, revoked, granted, …, and add up to what Discord's own log adds up to.
/// A removal whose answer died with the bot may be written as a loss, if the member pays again before the next check; the two
/// changes of such a gap may even be missing both. What was never done is never written.
async fn roles(world: &World, wrong: &mut Vec<String>) {
    let mut ours: BTreeMap<u64, Tally> = BTreeMap::new();
    for (user, granted) in world.role_transitions().await {
        let tally = ours.entry(user).or_default();
        if tally.held() == granted {
            let word = if granted { "given" } else { "taken or lost" };
            wrong.push(format!("{word} twice in a row for {user}"));
        }
        tally.count(granted);
    }
    let mut theirs: BTreeMap<u64, Tally> = BTreeMap::new();
    for entry in world.discord.audit_log(world.guild).await.expect("Discord answers") {
        theirs.entry(entry.user_id).or_default().count(entry.action == Action::RoleAdd);
    }
    for (user, theirs) in theirs {
        let ours = ours.remove(&user).unwrap_or_default();
        if ours.held() != theirs.held() || ours.added > theirs.added || ours.removed > theirs.removed {
            wrong.push(format!("{user}: {ours:?} in our log, {theirs:?} in Discord's"));
        }
    }
    wrong.extend(ours.keys().map(|user| format!("{user}: changes in our log that Discord never saw")));
}

#[derive(Debug, Default)]
struct Tally {
    added: u32,
    removed: u32,
}

impl Tally {
    fn count(&mut self, added: bool) {
        if added { self.added += 1 } else { self.removed += 1 }
    }

    fn held(&self) -> bool {
        self.added > self.removed
    }
}
