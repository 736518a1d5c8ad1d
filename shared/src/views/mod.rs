//! What people are shown. In: rows. Out: a small document of messages, without a word or a layout in it; then, by a renderer,
//! text for a terminal, or an embed for Discord. Pure: a command, a page and the command line cannot say different things.

pub mod access_given;
pub mod account_changes;
pub mod activity;
pub mod backfill;
pub mod catalogue;
pub mod claim;
pub mod claim_code;

pub mod connections;
pub mod discord;
pub mod document;
pub mod erasure;
mod explanation;
pub mod failed;
pub mod findings;
pub mod follow_questions;
pub mod held;
pub mod invitations;
pub mod join;
pub mod link_changes;
pub mod login;
pub mod mail;
pub mod mail_stop;
pub mod mapping_changes;
pub mod mappings;
pub mod member_lists;
pub mod member_report;
pub mod moving;
pub mod notice;
pub mod ownership;
pub mod page;
pub mod policy;
pub mod portal;
pub mod preview;
pub mod rebuild;
pub mod refusal;
pub mod server_status;
pub mod subscribe;
pub mod terminal;
mod words;
