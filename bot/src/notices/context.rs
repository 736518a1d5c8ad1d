//! What sending a notice needs: the database, Discord, and the names that stand in it.

use std::sync::Arc;

use shared::db::pool::Pool;

use super::names::KnownNames;
use crate::discord::client::RoleClient;

pub(super) struct Context {
    pub(super) pool: Pool,
    pub(super) discord: Arc<RoleClient>,
    pub(super) names: KnownNames,
}
