//! The database as such: connections, logins, migrations, and the two capabilities to touch rows: [`tenant::Tenant`] for those of
//! one guild, [`cross_tenant::Crossing`] for those of all.

pub mod cross_tenant;
pub mod listen;
pub mod migrate;
pub mod pg_roles;
pub mod pool;
pub mod readiness;
pub mod tenant;
