//! One mail and one server: what is taken, what is refused, and what nobody knows. In: a server with one thing wrong. Out: what the
//! mailer says of it, and what the server has.

use std::{process::Stdio, time::Duration};

use sandbox::smtp::{self, Fault, Options, Running, Security};
use shared::{
    config::{Env, Reader},
    views::mail,
};
use tokio::process::Command;
use uuid::Uuid;
use webhook_gateway::mail::{self as client, Failure, Mailer, Step, Verdict};

use crate::support::{own_server::NEXROLE, tenants::ENCRYPTION_KEYS};

const PASSWORD: &str = "hunter/2";
const RECIPIENT: &str = "ana@example.test";

async fn server(security: Security) -> Running {
    let login = Some(("roles".to_owned(), PASSWORD.to_owned()));
    smtp::serve(Options { port: 0, security, login }).await.expect("a server")
}

/// As somebody writes them into the environment.
fn variables(server: &Running, url: &str) -> [(&'static str, String); 4] {
    [
        ("SMTP_URL", url.replace("PORT", &server.address.port().to_string())),
        ("SMTP_CA", server.certificate.clone()),
        ("MAIL_FROM", "Rollen & Co. <roles@example.com>".to_owned()),
        ("ENCRYPTION_KEYS", ENCRYPTION_KEYS.to_owned()),
    ]
}

const SMTPS: &str = "smtps://roles:hunter%2F2@localhost:PORT";
const STARTTLS: &str = "smtp://roles:hunter%2F2@localhost:PORT?tls=required";

fn mailer(variables: &[(&'static str, String)]) -> Mailer {
    let env = Env::from_pairs(variables.iter().map(|(name, value)| (*name, value.as_str())));
    let mut reader = Reader::new(&env);
    let config = client::read(&mut reader);
    let config = reader.finish(config).expect("it is good");
    // Nobody here is slow but on purpose.
    Mailer::new(config).with_patience(Duration::from_secs(5), Duration::from_millis(300))
}

async fn send(mailer: &Mailer) -> Result<String, Failure> {
    let to = client::address(RECIPIENT).expect("an address");
    let message = mailer.message(&to, &mail::test(), Uuid::from_u128(7)).expect("a mail");
    mailer.connect().await?.send(&message).await
}

#[tokio::test]
async fn a_mail_goes_over_tls_with_a_login_and_arrives_as_it_was_written() {
    for (security, url) in [(Security::Implicit, SMTPS), (Security::StartTls, STARTTLS)] {
        let server = server(security).await;
        let said = send(&mailer(&variables(&server, url))).await.expect("it is taken");
        assert!(said.starts_with("250 "), "{said}");
        let [mail] = &server.mails()[..] else { panic!("{:?}", server.mails()) };
        assert!(mail.was_encrypted && mail.login.as_deref() == Some("roles"), "{mail:?}");
        assert_eq!((mail.from.as_str(), &mail.to[..]), ("roles@example.com", &[RECIPIENT.to_owned()][..]));
        for (header, value) in [
            ("From", "=?utf-8?b?Um9sbGVuICYgQ28u?= <roles@example.com>"),
            ("To", RECIPIENT),
            ("Subject", &mail::test().subject),
            ("Message-ID", "<00000000-0000-0000-0000-000000000007@example.com>"),
            ("Auto-Submitted", "auto-generated"),
            ("Content-Type", "text/plain; charset=utf-8"),
        ] {
            assert_eq!(mail.header(header).as_deref(), Some(value), "{}", mail.text);
        }
        assert!(mail.header("Date").is_some(), "{}", mail.text);
        assert!(
            mail.body().starts_with("Mail from Nexrole arrives here.") && !mail.text.contains("<html"),
            "{}",
            mail.text
        );
    }
}

#[tokio::test]
async fn nothing_is_sent_without_the_tls_that_was_demanded() {
    // Somebody between us and the server takes the offer away.
    let server = server(Security::StartTls).await;
    let mailer_of = |url| mailer(&variables(&server, url));
    server.fault(Fault::HideStartTls);
    let failure = send(&mailer_of(STARTTLS)).await.unwrap_err();
    assert_eq!((failure.verdict, failure.step), (Verdict::Later, Step::StartTls), "{failure}");
    assert!(failure.to_string().contains("nothing is sent without TLS"), "{failure}");
    // Or answers before TLS what is asked within it.
    server.fault(Fault::InjectAfterStartTls);
    let failure = send(&mailer_of(STARTTLS)).await.unwrap_err();
    assert_eq!((failure.verdict, failure.step), (Verdict::Later, Step::Login), "{failure}");
    // A certificate that nobody vouches for.
    let mut of_nobody = variables(&server, STARTTLS).to_vec();
    of_nobody.retain(|(name, _)| *name != "SMTP_CA");
    let failure = send(&mailer(&of_nobody)).await.unwrap_err();
    assert_eq!((failure.verdict, failure.step), (Verdict::Later, Step::StartTls), "{failure}");
    assert!(server.mails().is_empty() && !server.commands().iter().any(|heard| heard == "MAIL"));
    send(&mailer_of(STARTTLS)).await.expect("it is well again");
}

#[tokio::test]
async fn what_the_server_says_decides_whether_it_is_tried_again() {
    let server = server(Security::Implicit).await;
    let mailer = mailer(&variables(&server, SMTPS));
    for (fault, verdict, step, code, is_there) in [
        (Fault::Greeting421, Verdict::Later, Step::Connect, Some("421 4.3.2"), false),
        (Fault::Recipient450, Verdict::Later, Step::Recipient, Some("450 4.2.1"), false),
        (Fault::Recipient550, Verdict::Never, Step::Recipient, Some("550 5.1.1"), false),
        (Fault::DropInData, Verdict::Unsure, Step::Text, None, false),
        // The server has it, and nobody hears of it: to send it again would be to send it twice.
        (Fault::HangAfterData, Verdict::Unsure, Step::Text, None, true),
        (Fault::DropBeforeAnswer, Verdict::Unsure, Step::Text, None, true),
    ] {
        let before = server.mails().len();
        server.fault(fault);
        let failure = send(&mailer).await.unwrap_err();
        assert_eq!((failure.verdict, failure.step), (verdict, step), "{fault:?}: {failure}");
        assert_eq!(failure.code.as_deref(), code, "{fault:?}: {failure}");
        assert_eq!(server.mails().len() - before, usize::from(is_there), "{fault:?}");
        // What is kept of it names nobody.
        assert!(!failure.in_brief().contains('@'), "{}", failure.in_brief());
    }
    let refused = {
        server.fault(Fault::Recipient550);
        send(&mailer).await.unwrap_err()
    };
    assert!(
        refused.to_string().contains(RECIPIENT),
        "who may see it is told what the server said: {refused}"
    );
}

#[tokio::test]
async fn a_wrong_password_and_a_server_that_is_not_there_are_not_the_mails_fault() {
    let server = server(Security::Implicit).await;
    let failure = send(&mailer(&variables(&server, &SMTPS.replace("%2F2", "")))).await.unwrap_err();
    assert_eq!((failure.verdict, failure.step), (Verdict::Later, Step::Login), "{failure}");
    assert_eq!(failure.code.as_deref(), Some("535 5.7.8"));
    let given = variables(&server, SMTPS);
    drop(server);
    let failure = send(&mailer(&given)).await.unwrap_err();
    assert_eq!((failure.verdict, failure.step), (Verdict::Later, Step::Connect), "{failure}");
}

#[tokio::test]
async fn an_operator_sends_a_test_mail_and_reads_what_the_server_said() {
    let server = server(Security::StartTls).await;
    let run = async |url: &str| {
        let mut command = Command::new(NEXROLE);
        command.args(["mail", "test", RECIPIENT]).env_clear().current_dir(std::env::temp_dir());
        command.envs(variables(&server, url)).stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.expect("it starts");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).expect("UTF-8"))
    };
    let (code, said) = run(STARTTLS).await;
    assert!(code == Some(0) && said.contains("took it: 250 2.0.0 taken"), "{said}");
    assert_eq!(server.mails().len(), 1);
    server.fault(Fault::Recipient550);
    let (code, said) = run(STARTTLS).await;
    assert!(
        code == Some(1) && said.contains("the recipient: ") && said.contains("nobody of that name"),
        "{said}"
    );
    let (code, said) = run("smtp://roles:hunter%2F2@mail.example.com:PORT").await;
    assert!(code == Some(78) && said.contains("in the clear") && !said.contains("hunter"), "{said}");
    assert_eq!(server.mails().len(), 1);
}
