//! Tells members of payments that failed. In: notices that are due. Out: messages at Discord, and what came of each.
//!
//! What may have been taken by Discord is written down before it is sent, and sent again only while Discord knows it by its nonce. One
//! at a time, and slowly: role changes have the same budget of calls.

mod attempt;
mod context;
mod names;
pub mod run;
