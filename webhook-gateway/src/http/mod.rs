//! What every route of the gateway has in common. `routes` is the table of all of them, `guard` stands before each, `budget`
//! counts what callers cost, `security_txt` says whom to tell of a vulnerability.

pub mod budget;
pub mod guard;
pub mod routes;
pub mod security_txt;
