//! What every route of the gateway has in common. `route` says what a route is, `middleware` stands before each, `rate_limit`
//! counts what callers ask for, `error` has what is answered instead. Which routes there are, `crate::router` says.

pub mod client_ip;
pub mod error;
pub mod middleware;
pub mod rate_limit;
pub mod route;
pub mod security_txt;
