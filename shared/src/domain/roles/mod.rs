//! Roles of a Discord server: which may be given, which we gave, and what is to be done about one.

pub mod by_hand;
pub mod enforcement;
pub mod grant;
pub mod joining;
pub mod permissions;
pub mod plan;
pub mod safety;
pub mod suspension;
pub mod work;
