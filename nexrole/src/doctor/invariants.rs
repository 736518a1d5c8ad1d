//! What must hold whatever happened: in every server's rows. In: a connection that can change nothing, and the servers. Out:
//! how often it does not hold.

use shared::{db::pool::within, ids::GuildId, store::health_facts};
use sqlx::PgConnection;

use super::findings::{Check, Findings};

/// What `nexrole invariants` shows.
pub(super) const CHECKS: [Check; 3] =
    [Check::InvariantsChanges, Check::InvariantsEvents, Check::InvariantsJobs];
/// Where one of these fails, no row was checked.
pub(super) const NEEDED: [Check; 3] = [Check::DatabaseReachable, Check::DatabaseRoles, Check::DatabaseSchema];
/// Named; the rest is counted.
const NAMED: usize = 5;

pub(super) async fn check(
    findings: &mut Findings,
    db: &mut PgConnection,
    guilds: &[GuildId],
) -> Result<(), sqlx::Error> {
    let mut broken = Vec::with_capacity(guilds.len());
    for guild in guilds {
        broken.push((*guild, within(health_facts::broken(db, *guild)).await?));
    }
    let of = |count: fn(&health_facts::Broken) -> i64| -> Vec<(GuildId, i64)> {
        let counted = broken.iter().map(|(guild, broken)| (*guild, count(broken)));
        counted.filter(|(_, count)| *count > 0).collect()
    };
    for (check, wrong, well, what, fix) in [
        (
            Check::InvariantsChanges,
            of(|broken| broken.changes),
            "each member's roles were given and taken in turns, in every server's audit log",
            "changes that do not alternate",
            "nexrole export shows them: please report it, it is a mistake of ours or somebody changed the database",
        ),
        (
            Check::InvariantsEvents,
            of(|broken| broken.events),
            "every accepted event was read, or is going to be",
            "accepted events that nobody will read",
            "please report it; the next check of the whole account fixes what they were about",
        ),
        (
            Check::InvariantsJobs,
            of(|broken| broken.jobs),
            "no role job is overdue",
            "role jobs that nobody took up for ten minutes",
            "does the bot run? Its log says why not",
        ),
    ] {
        if wrong.is_empty() {
            findings.ok(check, well);
            continue;
        }
        let named = wrong.iter().take(NAMED).map(|(guild, count)| format!("server {guild}: {count}"));
        let named = named.collect::<Vec<_>>().join(", ");
        let more = if wrong.len() > NAMED {
            format!(" and {} servers more", wrong.len() - NAMED)
        } else {
            String::new()
        };
        findings.fail(check, format!("{what} ({named}{more})"), fix);
    }
    Ok(())
}
