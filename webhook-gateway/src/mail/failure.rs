//! Why a mail was not taken. In: a step of the conversation, and an error of it. Out: whether it is tried again.

use std::fmt;

use lettre::transport::smtp::Error;

/// How far the conversation was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Up to the greeting, with TLS where that comes first.
    Connect,
    StartTls,
    Login,
    /// MAIL FROM
    Sender,
    /// RCPT TO
    Recipient,
    /// DATA
    Data,
    /// The text, and the answer to it.
    Text,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The server did not take it, and may take it later.
    Later,
    /// It will not take this one (5xx).
    Never,
    /// It may have taken it: it had it whole, and did not answer.
    Unsure,
}

/// A mail that was not, or perhaps not, taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub verdict: Verdict,
    pub step: Step,
    /// `550 5.1.1`; `None`: the server did not answer.
    pub code: Option<String>,
    /// What happened, with the server's own words, which may name the recipient: not for a log, nor a table.
    said: String,
}

/// For whoever may see the recipient.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step.in_words(), self.said)
    }
}

impl Step {
    fn in_words(self) -> &'static str {
        match self {
            Self::Connect => "connecting to the mail server",
            Self::StartTls => "STARTTLS",
            Self::Login => "logging in",
            Self::Sender => "the sender",
            Self::Recipient => "the recipient",
            Self::Data => "DATA",
            Self::Text => "the mail's text",
        }
    }
}

impl Failure {
    pub(super) fn of(step: Step, error: &Error) -> Self {
        let text = error.to_string();
        let verdict = match step {
            // Nothing about this mail was said: the server or our login is at fault, which somebody mends.
            Step::Connect | Step::StartTls | Step::Login => Verdict::Later,
            _ if error.is_permanent() => Verdict::Never,
            Step::Text if !error.is_transient() => Verdict::Unsure,
            Step::Sender | Step::Recipient | Step::Data | Step::Text => Verdict::Later,
        };
        let code = error.status().map(|status| match enhanced(&text) {
            Some(enhanced) => format!("{status} {enhanced}"),
            None => status.to_string(),
        });
        Self { verdict, step, code, said: text }
    }

    /// No answer came in time, or the step could not be taken.
    pub(super) fn without_answer(step: Step, said: &str) -> Self {
        let verdict = if step == Step::Text { Verdict::Unsure } else { Verdict::Later };
        Self { verdict, step, code: None, said: said.to_owned() }
    }

    /// Without the server's words.
    pub fn in_brief(&self) -> String {
        let step = self.step.in_words();
        match (&self.code, self.verdict) {
            (Some(code), _) => format!("{step}: the mail server said {code}"),
            (None, Verdict::Unsure) => format!("{step}: the mail server never said whether it took it"),
            (None, _) => format!("{step}: no answer, or none that could be understood"),
        }
    }
}

/// `5.1.1` of RFC 3463, if the text has one after its code.
fn enhanced(text: &str) -> Option<&str> {
    let is_number =
        |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split_whitespace().find(|word| {
        let parts: Vec<&str> = word.split('.').collect();
        parts.len() == 3 && matches!(parts[0], "4" | "5") && parts.iter().all(|part| is_number(part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_an_answer_is_found_and_nothing_else_of_it() {
        assert_eq!(enhanced("permanent error (550): 5.1.1 <ana@example.com>: nobody"), Some("5.1.1"));
        assert_eq!(enhanced("permanent error (550): <ana@5.1.1.example.com>"), None);
        assert_eq!(enhanced("transient error (421): 10.0.0.1 is busy"), None);
    }

    #[test]
    fn silence_after_the_text_may_mean_that_it_was_taken() {
        for step in [Step::Connect, Step::StartTls, Step::Login, Step::Sender, Step::Recipient, Step::Data] {
            assert_eq!(Failure::without_answer(step, "timeout").verdict, Verdict::Later, "{step:?}");
        }
        assert_eq!(Failure::without_answer(Step::Text, "timeout").verdict, Verdict::Unsure);
    }
}
