//! Who is to have which role, by what they pay for.

pub mod diff;
pub mod policy;
