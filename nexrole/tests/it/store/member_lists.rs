//! Lists of a server with very many members. In: rows as services leave them. Out: whom each list names, and in what time.

use std::time::Instant;

use shared::{
    actions::list_members::{Listed, MemberList, list_members},
    db::{authorized::Authorized, pg_roles::Login},
    domain::explain::{Answer, Cause, lists::HeldBy},
};
use sqlx::{AssertSqlSafe, PgPool};

use super::{connection, guild};
use crate::support::cluster::Database;

const MEMBERS: i64 = 10_000;
/// Every so manieth member is not in the server.
const AWAY: i64 = 20;

async fn fill(pool: &PgPool, at: i64) {
    let everybody = format!("generate_series(1, {MEMBERS}) member");
    for statement in [
        "INSERT INTO role_mappings (guild_id, source_kind, source_id, role_id) VALUES (1, 'price', 'price_1', 7)".to_owned(),
        "INSERT INTO mapped_roles (guild_id, role_id, enforcement) VALUES (1, 7, 'on')".to_owned(),
        "INSERT INTO guild_roles (guild_id, role_id) VALUES (1, 7)".to_owned(),
        "INSERT INTO role_reads (guild_id, read_at) VALUES (1, now())".to_owned(),
        format!(
            "INSERT INTO customers (guild_id, connection_id, customer_id, named_user_id, id_keys)
             SELECT 1, {at}, 'cus_' || member, member, '{{discord_user_id}}' FROM {everybody}"
        ),
        format!(
            "INSERT INTO member_links (guild_id, connection_id, customer_id, user_id, proof)
             SELECT 1, {at}, 'cus_' || member, member, 'metadata' FROM {everybody}"
        ),
        format!(
            "INSERT INTO subscriptions (guild_id, connection_id, subscription_id, customer_id, status, price_ids, product_ids,
                                        cancel_at_period_end, id_keys, application_fee_percent)
             SELECT 1, {at}, 'sub_' || member, 'cus_' || member, 'active', '{{price_1}}', '{{prod_1}}', false, '{{}}', 5 FROM {everybody}"
        ),
        format!(
            "INSERT INTO stripe_sync (guild_id, connection_id, object_kind, object_id, dirty_seq, next_at)
             SELECT 1, {at}, 'subscription', 'sub_' || member, 0, NULL FROM {everybody}"
        ),
        format!(
            "INSERT INTO access_sources (guild_id, user_id, role_id, kind, connection_id, source_id, state, evidence)
             SELECT 1, member, 7, 'stripe', {at}, 'sub_' || member, 'live', 'sub_' || member || ' is active' FROM {everybody}"
        ),
        format!(
            "INSERT INTO role_grants (guild_id, user_id, role_id, state, confirmed_at)
             SELECT 1, member, 7, 'confirmed', now() FROM {everybody} WHERE member % {AWAY} <> 0"
        ),
        format!(
            "INSERT INTO role_jobs (guild_id, user_id, role_id, action, origin, cause, state, outcome, finished_at)
             SELECT 1, member, 7, 'resync', 'sweep', 'a check', 'noop', 'nothing to do: the member has it', now()
               FROM {everybody}, generate_series(1, 10)"
        ),
        format!(
            "INSERT INTO role_jobs (guild_id, user_id, role_id, action, origin, cause, state, outcome)
             SELECT 1, member, 7, 'grant', 'purchase', 'x', 'parked', 'waits for the member to join'
               FROM {everybody} WHERE member % {AWAY} = 0"
        ),
        "VACUUM (ANALYZE)".to_owned(),
    ] {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(pool).await.unwrap();
    }
}

#[tokio::test]
async fn lists_of_10_000_members_take_seconds_and_name_whom_they_should() {
    let database = Database::create().await;
    let at = connection(&database).await;
    fill(&database.pool, at.id.to_i64()).await;
    let pool = database.login(Login::Operator);
    let by = Authorized::operator(&pool, guild(1)).unwrap();
    let (all, away) = (usize::try_from(MEMBERS).unwrap(), usize::try_from(MEMBERS / AWAY).unwrap());
    for list in [
        MemberList::WithoutRole,
        MemberList::NotInServer,
        MemberList::WithRole,
        MemberList::Unlinked,
        MemberList::Double,
        MemberList::Fees,
        MemberList::Metadata,
    ] {
        let began = Instant::now();
        let listed = list_members(&pool, &by, list, 20).await.unwrap();
        let took = began.elapsed();
        println!("{}: {} ms", list.as_str(), took.as_millis());
        assert!(took.as_secs() < 30, "{list:?} took {took:?}");
        match listed {
            Listed::WithoutRole(lines) | Listed::NotInServer(lines) => {
                let is_away = |answer: &Answer| *answer == Answer::Lacks(Cause::NotInServer);
                assert!(lines.len() == away && lines.iter().all(|line| is_away(&line.answer)));
                assert!(lines.iter().all(|line| line.member.to_i64() % AWAY == 0));
            }
            Listed::WithRole(lines, _) => {
                assert_eq!(lines.len(), all - away);
                assert!(lines.iter().all(|line| line.by == [HeldBy::Paying]));
            }
            Listed::Unlinked { mapped, other } => assert_eq!((mapped.total, other.total), (0, 0)),
            Listed::Double(page) => assert_eq!(page.total, 0),
            Listed::Fees(page) => assert_eq!((page.rows.len(), page.total), (20, all)),
            Listed::Metadata(page) => {
                assert_eq!((page.total, page.rows[0].carry, page.rows[0].of), (1, MEMBERS, MEMBERS));
            }
        }
    }
    pool.close().await;
    database.remove().await;
}
