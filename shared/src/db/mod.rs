//! The database as such: connections, logins, migrations, and the capabilities: [`tenant::Tenant`] to touch the rows of one guild,
//! [`cross_tenant::Crossing`] those of all, [`authorized::Authorized`] to act for a guild's owner.

pub mod authorized;
pub mod cross_tenant;
pub mod listen;
pub mod migrate;
pub mod pg_roles;
pub mod pool;
pub mod readiness;
pub mod tenant;
