//! Which mail server, and how it is spoken to. In: `SMTP_URL`, `MAIL_FROM` and `SMTP_CA`. Out: a [`MailConfig`], or what is wrong.
//!
//! `smtp://` alone, and `tls=opportunistic`, use TLS if the server offers it: whoever sits between takes the offer away, and reads
//! password and mail. So TLS is demanded, and nothing is sent without; but to this machine.

use std::{fmt, str::FromStr, sync::Arc};

use lettre::{
    message::Mailbox,
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, TlsParameters},
    },
};
use percent_encoding::percent_decode_str;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use shared::config::Reader;

const URL_EXAMPLE: &str = "smtps://user:password@smtp.example.com";
const FROM_EXAMPLE: &str = "Roles <roles@example.com>";
const IN_THE_CLEAR: &str = "would send password and mail in the clear wherever somebody between us and the server wants it: write smtps://…, \
                            or smtp://…:587?tls=required for a server that has STARTTLS only";

/// How the way to the server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (RFC 8314).
    Implicit,
    /// STARTTLS, or nothing is sent.
    StartTls,
    /// None: to this machine alone.
    None,
}

impl Security {
    /// RFC 8314, and RFC 6409; without TLS what this machine's own server listens on.
    fn port(self) -> u16 {
        match self {
            Self::Implicit => 465,
            Self::StartTls => 587,
            Self::None => 25,
        }
    }
}

/// A server, and who logs in there. What `Debug` shows has no password.
#[derive(Clone)]
pub struct MailServer {
    pub host: String,
    pub port: u16,
    pub security: Security,
    login: Option<(String, SecretString)>,
    /// Trusted beside the authorities that browsers trust.
    authority: Option<Certificate>,
}

impl fmt::Debug for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MailServer({}:{}, {:?})", self.host, self.port, self.security)
    }
}

impl MailServer {
    pub(super) fn credentials(&self) -> Option<Credentials> {
        let (user, password) = self.login.as_ref()?;
        Some(Credentials::new(user.clone(), password.expose_secret().to_owned()))
    }

    /// What its certificate is held against.
    pub(super) fn tls(&self) -> Result<TlsParameters, lettre::transport::smtp::Error> {
        let builder =
            TlsParameters::builder(self.host.clone()).certificate_store(CertificateStore::WebpkiRoots);
        match &self.authority {
            Some(authority) => builder.add_root_certificate(authority.clone()).build(),
            None => builder.build(),
        }
    }
}

/// All that it takes to send a mail.
#[derive(Debug, Clone)]
pub struct MailConfig {
    pub server: MailServer,
    /// In whose name.
    pub from: Arc<Mailbox>,
}

/// `SMTP_URL`, `MAIL_FROM` and `SMTP_CA`; `None`: no mail is sent, or something is wrong with them.
pub fn read(reader: &mut Reader<'_>) -> Option<MailConfig> {
    let given = ["SMTP_URL", "MAIL_FROM"].map(|name| reader.given(name));
    match given {
        [false, false] => {
            if reader.given("SMTP_CA") {
                reader.problem("SMTP_URL", "is required with SMTP_CA", URL_EXAMPLE);
            }
            return None;
        }
        [false, true] => reader.problem("SMTP_URL", "is required with MAIL_FROM", URL_EXAMPLE),
        [true, false] => reader.problem("MAIL_FROM", "is required with SMTP_URL", FROM_EXAMPLE),
        [true, true] => {}
    }
    if !reader.given("ENCRYPTION_KEYS") {
        let wrong = "is required with SMTP_URL: what waits to be sent is sealed";
        reader.problem("ENCRYPTION_KEYS", wrong, "k1:… (`nexrole keys generate` makes one)");
    }
    let from =
        reader.parsed::<Sender>("MAIL_FROM", "an e-mail address, with or without a name", FROM_EXAMPLE);
    let authority = authority(reader);
    let url = reader.secret("SMTP_URL");
    let server = url.and_then(|url| match parse(url.expose_secret()) {
        Ok(server) => Some(server),
        Err(wrong) => {
            reader.problem("SMTP_URL", wrong, URL_EXAMPLE);
            None
        }
    });
    Some(MailConfig { server: MailServer { authority, ..server? }, from: Arc::new(from?.0) })
}

/// A mailbox as every mail server takes it.
struct Sender(Mailbox);

impl FromStr for Sender {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let Mailbox { name, email } = text.parse().map_err(|_| ())?;
        let email = super::address(email.as_ref()).ok_or(())?;
        Ok(Self(Mailbox::new(name, email)))
    }
}

fn authority(reader: &mut Reader<'_>) -> Option<Certificate> {
    let pem = reader.text("SMTP_CA")?;
    // The library takes a text without any for a list of none.
    let read = pem
        .contains("-----BEGIN CERTIFICATE-----")
        .then(|| Certificate::from_pem(pem.as_bytes()).ok())
        .flatten();
    if read.is_none() {
        reader.problem(
            "SMTP_CA",
            "is no certificate in PEM",
            "-----BEGIN CERTIFICATE-----… (or SMTP_CA_FILE=/path/ca.pem)",
        );
    }
    read
}

/// Why an address is not taken never shows any of it.
fn parse(text: &str) -> Result<MailServer, &'static str> {
    let url = Url::parse(text).map_err(|_| "is no address of a mail server")?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or("names no server")?;
    let host = host.trim_matches(['[', ']']).to_owned();
    if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
        return Err("has more than user, password, server, port and tls=required");
    }
    let security = match (url.scheme(), url.query()) {
        ("smtps", None) => Security::Implicit,
        ("smtp", Some("tls=required")) => Security::StartTls,
        ("smtps", Some(_)) => return Err("smtps:// takes no parameters: TLS is required anyway"),
        ("smtp", None) if is_this_machine(&host) => Security::None,
        ("smtp", _) => return Err(IN_THE_CLEAR),
        _ => return Err("is no smtps:// or smtp:// address"),
    };
    let decoded = |part: &str| percent_decode_str(part).decode_utf8().ok().map(String::from);
    let login = match (url.username(), url.password()) {
        ("", None) => None,
        ("", Some(_)) => return Err("has a password and no user"),
        (_, None) => return Err("has a user and no password (an @ in a user is written %40)"),
        (user, Some(password)) => {
            let undecodable = "has a user or a password that is not percent-encoded UTF-8";
            Some((
                decoded(user).ok_or(undecodable)?,
                SecretString::from(decoded(password).ok_or(undecodable)?),
            ))
        }
    };
    Ok(MailServer { port: url.port().unwrap_or(security.port()), host, security, login, authority: None })
}

fn is_this_machine(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "::1")
}

#[cfg(test)]
mod tests {
    use shared::config::Env;

    use super::*;

    fn config(changes: &[(&str, &str)]) -> Result<Option<MailConfig>, Vec<String>> {
        let env = Env::from_pairs(changes.iter().copied());
        let mut reader = Reader::new(&env);
        let config = read(&mut reader);
        let said = |problem: shared::config::Problem| format!("{}: {}", problem.variable, problem.wrong);
        reader.finish(Some(config)).map_err(|problems| problems.0.into_iter().map(said).collect())
    }

    fn of_url(url: &str) -> Result<MailServer, Vec<String>> {
        config(&[("SMTP_URL", url), ("MAIL_FROM", "roles@example.com"), ("ENCRYPTION_KEYS", "k1:x")])
            .map(|config| config.expect("it is set").server)
    }

    #[test]
    fn only_what_demands_tls_is_taken() {
        for (url, security, port) in [
            ("smtps://u:p@smtp.example.com", Security::Implicit, 465),
            ("smtps://u:p@smtp.example.com:2465/", Security::Implicit, 2465),
            ("smtp://u:p@smtp.example.com?tls=required", Security::StartTls, 587),
            ("smtp://u:p@smtp.example.com:25/?tls=required", Security::StartTls, 25),
            ("smtp://localhost:2525", Security::None, 2525),
            ("smtp://u:p@127.0.0.1", Security::None, 25),
            ("smtp://[::1]:25", Security::None, 25),
        ] {
            let server = of_url(url).unwrap();
            assert_eq!((server.security, server.port), (security, port), "{url}");
        }
        for url in [
            "smtp://u:hunter2@smtp.example.com",
            "smtp://u:hunter2@smtp.example.com:587",
            "smtp://u:hunter2@smtp.example.com?tls=opportunistic",
            "smtp://u:hunter2@smtp.example.com?tls=required&tls=opportunistic",
            "smtp://u:hunter2@smtp.example.com?TLS=required",
            "smtp://u:hunter2@localhost.example.com",
            "smtp://u:hunter2@127.0.0.1.example.com",
            "smtp://u:hunter2@10.0.0.1",
            "smtp://u:hunter2@localhost?tls=opportunistic",
        ] {
            let wrong = of_url(url).unwrap_err().join("\n");
            assert!(wrong.contains("in the clear") && wrong.contains("smtps://"), "{url}: {wrong}");
            assert!(!wrong.contains("hunter2"), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_address_of_a_server_is_said() {
        for (url, why) in [
            ("https://smtp.example.com", "is no smtps:// or smtp://"),
            ("smtp.example.com:465", "names no server"),
            ("smtps://", "names no server"),
            ("smtps://user@smtp.example.com", "no password"),
            ("smtps://:hunter2@smtp.example.com", "no user"),
            ("smtps://u:%ff@smtp.example.com", "percent-encoded"),
            ("smtps://u:p@smtp.example.com/in", "has more than"),
            ("smtps://u:p@smtp.example.com#x", "has more than"),
            ("smtps://u:p@smtp.example.com?tls=none", "takes no parameters"),
        ] {
            let wrong = of_url(url).expect_err(url).join("\n");
            assert!(wrong.contains(why) && !wrong.contains("hunter2"), "{url}: {wrong}");
        }
    }

    #[test]
    fn what_belongs_together_is_asked_for_together() {
        assert!(config(&[]).unwrap().is_none(), "no mail is sent");
        let wrong = config(&[("SMTP_URL", "smtps://a.example")]).unwrap_err();
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(wrong[0].starts_with("MAIL_FROM") && wrong[1].starts_with("ENCRYPTION_KEYS"), "{wrong:?}");
        assert_eq!(config(&[("SMTP_CA", "x")]).unwrap_err().len(), 1);
        let all = [("SMTP_URL", "x"), ("MAIL_FROM", "nobody"), ("SMTP_CA", "x"), ("ENCRYPTION_KEYS", "k1:x")];
        assert_eq!(config(&all).unwrap_err().len(), 3);
    }

    #[test]
    fn the_senders_domain_is_written_in_ascii() {
        let pairs = [
            ("SMTP_URL", "smtps://smtp.example.com"),
            ("MAIL_FROM", "Rollen <rollen@münchen.example>"),
            ("ENCRYPTION_KEYS", "k1:x"),
        ];
        let from = config(&pairs).unwrap().unwrap().from;
        assert_eq!(from.to_string(), "Rollen <rollen@xn--mnchen-3ya.example>");
    }

    #[test]
    fn user_and_password_are_decoded_and_never_shown() {
        let server = of_url("smtps://ana%40example.com:hunter%2F2@smtp.example.com").unwrap();
        let (user, password) = server.login.as_ref().unwrap();
        assert_eq!((user.as_str(), password.expose_secret()), ("ana@example.com", "hunter/2"));
        assert_eq!(format!("{server:?}"), "MailServer(smtp.example.com:465, Implicit)");
    }
}
