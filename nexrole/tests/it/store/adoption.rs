//! A role that a person gave becomes ours in one statement, which looks again: what was read at the turn's beginning may be over.

use shared::{
    clock,
    db::pg_roles::Login,
    domain::roles::grant::{Seen, Step, Wanted, check},
    store::role_grants,
};

use super::{change, connection, in_guild, text};
use crate::support::cluster::Database;

const PAYS: &str = "INSERT INTO access_sources
                        (guild_id, user_id, role_id, kind, connection_id, source_id, state, evidence, stripe_object)
                    SELECT 1, 1, 7, 'stripe', connection_id, 'sub_1', 'live', 'x', 'subscription' FROM stripe_connections";

/// What is written where this became so after the turn had read; the audit entries, and the rows.
async fn adopted_after(meanwhile: &[&'static str]) -> (String, String) {
    let database = Database::create().await;
    connection(&database).await;
    for statement in [PAYS].iter().chain(meanwhile) {
        sqlx::query(*statement).execute(&database.pool).await.unwrap();
    }
    let wanted = Wanted { desired: true, asked: false, follows: true };
    let (known, step) = check(None, Seen::Present { held: true, joined_at: None }, wanted, clock::now());
    assert_eq!(step, Step::Adopt);
    let (bot, adoption) = (database.login(Login::Bot), change(None, known));
    // Again, as after a commit that was not confirmed: nothing is written twice.
    for _ in 0..2 {
        in_guild(&bot, 1, async |t| role_grants::apply(t, &adoption).await).await;
    }
    let entries = text(
        &database.pool,
        "SELECT coalesce(string_agg(action, ' '), '') FROM audit_log WHERE action LIKE 'role.%'",
    )
    .await;
    let rows = text(&database.pool, "SELECT coalesce(string_agg(state, ' '), '') FROM role_grants").await;
    database.remove().await;
    (entries, rows)
}

#[tokio::test]
async fn it_is_adopted_unless_the_payment_ended_or_the_owner_said_no_meanwhile() {
    let ours = ("role.adopted".to_owned(), "confirmed".to_owned());
    let nothing = (String::new(), String::new());
    let answered_yes = "INSERT INTO follow_questions (guild_id, user_id, role_id, state, answered_at) VALUES (1, 1, 7, 'follow', now())";
    assert_eq!(adopted_after(&[]).await, ours, "by its mapping");
    assert_eq!(adopted_after(&[answered_yes]).await, ours);
    assert_eq!(adopted_after(&[answered_yes, "UPDATE follow_questions SET state = 'keep'"]).await, nothing);
    assert_eq!(adopted_after(&[answered_yes, "UPDATE access_sources SET state = 'ended'"]).await, nothing);
    let by_hand = "UPDATE access_sources SET kind = 'manual', connection_id = NULL, stripe_object = NULL";
    assert_eq!(adopted_after(&[answered_yes, by_hand]).await, nothing, "an owner's own word pays nothing");
}
