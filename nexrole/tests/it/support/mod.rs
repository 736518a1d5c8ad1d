//! What the tests stand on: a database each, a whole world, signed events, other tenants, and things that break on request.

pub(crate) mod cluster;
pub(crate) mod overload;
pub(crate) mod own_server;
pub(crate) mod postgres_proxy;
pub(crate) mod scale;
pub(crate) mod signing;
pub(crate) mod tenants;
pub(crate) mod world;
