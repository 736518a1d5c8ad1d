//! What every route of the gateway has in common. `routes` is the table of all of them, `guard` stands before each, `budget`
//! counts what callers cost, `security_txt` says whom to tell of a vulnerability.

pub mod client_ip;
pub mod error;
pub mod guard;
pub mod rate_limit;
pub mod routes;
pub mod security_txt;
