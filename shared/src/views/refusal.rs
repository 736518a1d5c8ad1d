//! What Discord refuses. In: its code, and until when nothing is tried. Out: messages, with what helps.

use super::document::{Message, message};
use crate::domain::delivery::refusal::{Closed, Refusal};

/// Discord refuses the bot a whole server.
pub fn of_server(refusal: &Refusal) -> Message {
    match refusal.code {
        None => message("server-refused-removed"),
        Some(code @ 10004) => message("server-refused-unknown").with("code", code.to_string()),
        Some(code @ 50001) => message("server-refused-no-access").with("code", code.to_string()),
        Some(code) => message("server-refused").with("code", code.to_string()),
    }
}

/// Why nothing is changed in the whole server, and for how long.
pub fn held_up(closed: Closed) -> Message {
    match closed {
        Closed::Refused(refusal) => {
            message("held-up-refused").with("refusal", of_server(&refusal)).with("until", refusal.until)
        }
        Closed::ToldToWait(until) => message("held-up-told-to-wait").with("until", until),
    }
}

/// Why Discord does not let the bot manage a role. `None`: an earlier release did not keep the code.
pub fn of_role(code: Option<i32>) -> Message {
    match code {
        Some(60003) => message("role-refused-two-factor"),
        Some(code) if code != 50013 => message("role-refused").with("code", code.to_string()),
        _ => message("role-refused-rank"),
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::views::terminal::text;

    #[test]
    fn every_code_of_a_server_has_a_sentence_with_it() {
        for (code, part) in [
            (None, "the bot was removed"),
            (Some(10004), "does not know this server (code 10004)"),
            (Some(50001), "no access to this server (code 50001)"),
            (Some(50600), "(status 403, code 50600)"),
        ] {
            let said = text(&of_server(&Refusal { code, until: OffsetDateTime::UNIX_EPOCH }));
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn each_refusal_of_a_role_says_what_helps() {
        for (code, part) in [
            (None, "needs Manage Roles"),
            (Some(50013), "needs Manage Roles"),
            (Some(60003), "two-factor"),
            (Some(50600), "code 50600"),
        ] {
            let said = text(&of_role(code));
            assert!(said.contains(part), "{said}");
        }
    }
}
