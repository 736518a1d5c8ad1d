//! What a database needs from time to time, beside the work itself.

pub mod retention;
pub mod sealed_check;
