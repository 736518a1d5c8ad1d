//! What people are shown. In: rows. Out: a small document of messages, without a word or a layout in it; then, by a renderer,
//! text for a terminal, or an embed for Discord. Pure: a command, a page and the command line cannot say different things.

pub mod catalogue;
pub mod connections;
pub mod discord;
pub mod document;
pub mod findings;
pub mod mappings;
pub mod member_report;
pub mod ownership;
pub mod policy;
pub mod preview;
pub mod refusal;
pub mod server_status;
pub mod terminal;
mod words;
