//! The way of a subscriber in a real browser: every page on it can be used by everybody, and leads to the next.

mod accounts;
mod chromium;
mod journeys;
mod mail;
