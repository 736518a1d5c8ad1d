//! What a client says of a mail before its text. In: the arguments of MAIL and RCPT. Out: a path, or that it is none.

/// A mail that was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// Headers and body, as they came, with lines that end in `\n`.
    pub text: String,
    /// It came over TLS.
    pub was_encrypted: bool,
    /// Who had logged in.
    pub login: Option<String>,
}

impl Mail {
    /// A header's value, unfolded; encoded words as they are.
    pub fn header(&self, name: &str) -> Option<String> {
        let (head, _) = self.text.split_once("\n\n")?;
        let unfolded = head.replace("\n ", " ").replace("\n\t", " ");
        let of = |line: &str| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        unfolded.lines().find_map(of)
    }

    /// What follows the headers.
    pub fn body(&self) -> &str {
        self.text.split_once("\n\n").map_or("", |(_, body)| body)
    }
}

/// The address in `FROM:<a@b> BODY=8BITMIME`, and what follows it; `keyword`: `FROM:` or `TO:`.
pub(super) fn path<'a>(arguments: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let begins = arguments.get(..keyword.len())?.eq_ignore_ascii_case(keyword);
    let rest = arguments.get(keyword.len()..).filter(|_| begins)?.trim_start();
    let (address, parameters) = rest.strip_prefix('<')?.split_once('>')?;
    let is_one = address.is_empty() || address.contains('@') && !address.contains([' ', '<']);
    is_one.then_some((address, parameters.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_in_angle_brackets() {
        assert_eq!(path("FROM:<a@b.c> SIZE=9", "FROM:"), Some(("a@b.c", "SIZE=9")));
        assert_eq!(path("to: <a@b.c>", "TO:"), Some(("a@b.c", "")));
        assert_eq!(path("FROM:<>", "FROM:"), Some(("", "")));
        for none in ["FROM:a@b.c", "TO:<a@b.c>", "FROM:<a b@c>", "FROM:<ab>", "F", "FROM:<a@b", "ÄÖÜ"] {
            assert_eq!(path(none, "FROM:"), None, "{none}");
        }
    }

    #[test]
    fn headers_are_unfolded() {
        let mail = Mail { text: "Subject: one\n two\nTo: x\n\nbody\n".to_owned(), ..Mail::default() };
        assert_eq!(mail.header("subject").as_deref(), Some("one two"));
        assert_eq!((mail.header("body"), mail.body()), (None, "body\n"));
    }
}
