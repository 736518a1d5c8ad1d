//! Logging in, and staying so. In: browsers. Out: a session, by Discord's word.

pub mod destination;
pub mod discord;
