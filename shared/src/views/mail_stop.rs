//! Wanting no more mail. In: where one is. Out: a page. Nobody is logged in there: whoever has the mail may say so.

use super::{
    document::{Tone, message},
    page::Page,
};

/// Opening the link changes nothing: programs that look for harm open links, too. `here`: where the form goes.
pub fn question(here: &str) -> Page {
    Page::new(message("mail-stop"), Tone::Question, vec![message("mail-stop-why")]).form(
        message("mail-stop-yes"),
        here,
        String::new(),
        Vec::new(),
    )
}

pub fn stopped() -> Page {
    Page::new(message("mail-stopped"), Tone::Good, vec![message("mail-stopped-why")])
}

/// The link is not one that we wrote.
pub fn unknown() -> Page {
    Page::new(message("mail-stop-unknown"), Tone::Bad, vec![message("mail-stop-unknown-why")])
}
