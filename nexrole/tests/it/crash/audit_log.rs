//! What the audit log says of everybody. In: a world. Out: changes of access and of roles, by purchase and by member.

use crate::support::world::World;

impl World {
    /// What a purchase began or ended more than once: the action, the purchase, and how often.
    pub(super) async fn repeated_access_changes(&self) -> Vec<(String, String, i64)> {
        sqlx::query_as(
            "SELECT action, split_part(cause, ' ', 1), count(*) FROM audit_log WHERE action LIKE 'access.%'
              GROUP BY 1, 2 HAVING count(*) > 1",
        )
        .fetch_all(self.db())
        .await
        .expect("the query is good")
    }

    /// Every role that was given, taken or lost, oldest first: the member, and whether it was given.
    pub(super) async fn role_transitions(&self) -> Vec<(u64, bool)> {
        let rows: Vec<(i64, bool)> = sqlx::query_as(
            "SELECT user_id, action IN ('role.granted', 'role.adopted') FROM audit_log
              WHERE action IN ('role.granted', 'role.adopted', 'role.revoked', 'role.lost') ORDER BY audit_id",
        )
        .fetch_all(self.db())
        .await
        .expect("the query is good");
        rows.iter().map(|(user, granted)| (user.unsigned_abs(), *granted)).collect()
    }
}
