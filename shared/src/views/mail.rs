//! What is said by e-mail. In: what it is about. Out: a subject, and plain text: no picture, no link that counts who opened it.

use super::{
    document::{Message, Value, message},
    terminal,
};

/// A mail's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    pub subject: String,
    pub text: String,
    /// Where whoever gets it says that they want no more of the kind.
    pub stop: Option<String>,
}

fn words(subject: &Message, paragraphs: &[Message]) -> Words {
    let paragraphs: Vec<String> = paragraphs.iter().map(terminal::text).collect();
    Words { subject: terminal::text(subject), text: paragraphs.join("\n\n") + "\n", stop: None }
}

/// The code that shows whose a purchase is; `minutes`: how long it counts.
pub fn claim_code(code: &str, minutes: u64) -> Words {
    let said = [
        message("mail-code"),
        message("mail-code-itself").with("code", Value::Code(code.to_owned())),
        message("mail-code-lives").with("minutes", i64::try_from(minutes).unwrap_or(i64::MAX)),
        message("mail-code-not-you"),
        message("mail-from"),
    ];
    words(&message("mail-code-subject"), &said)
}

/// To who pays and is linked to nobody. `products`: what they pay for, in the owner's words; `claim`: where they claim it; `stop`: where they say that they want
/// no such mail.
pub fn invitation(products: &[String], claim: &str, stop: &str, is_reminder: bool) -> Words {
    let pays = match products {
        [] => message("mail-invitation-pays"),
        products => message("mail-invitation-pays-for").with("products", products.join(", ")),
    };
    let subject = if is_reminder {
        message("mail-invitation-again-subject")
    } else {
        message("mail-invitation-subject")
    };
    let said = [
        pays,
        message("mail-invitation-how"),
        message("mail-link").with("link", Value::Code(claim.to_owned())),
        message("mail-invitation-keeps"),
        if is_reminder { message("mail-invitation-last") } else { message("mail-invitation-stop") },
        message("mail-link").with("link", Value::Code(stop.to_owned())),
        message("mail-from"),
    ];
    Words { stop: Some(stop.to_owned()), ..words(&subject, &said) }
}

/// `nexrole mail test`.
pub fn test() -> Words {
    words(&message("mail-test-subject"), &[message("mail-test"), message("mail-from")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_stands_alone_on_its_line_and_not_in_the_subject() {
        let Words { subject, text, .. } = claim_code("01234567", 10);
        assert!(text.lines().any(|line| line == "01234567"), "{text}");
        assert!(!subject.contains("01234567"), "a locked telephone shows subjects: {subject}");
        assert!(text.contains("10 minutes") && !text.contains("http"), "{text}");
        let (claim, stop) = ("https://roles.example/claim/7/email", "https://roles.example/mail/7/stop/x/y");
        let invited = invitation(&["VIP".to_owned(), "Gold".to_owned()], claim, stop, false);
        assert_eq!(invited.stop.as_deref(), Some(stop));
        for link in [claim, stop] {
            assert!(invited.text.lines().any(|line| line == link), "{}", invited.text);
        }
        for Words { subject, text, .. } in
            [claim_code("01234567", 10), test(), invited, invitation(&[], claim, stop, true)]
        {
            assert!(!subject.contains('\n') && text.ends_with(".\n"), "{subject}\n{text}");
        }
    }
}
