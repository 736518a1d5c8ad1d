//! One conversation with a mail server. In: a mail. Out: the server's answer, or a [`Failure`] that says how far it came.
//!
//! lettre sends a mail in one call, which does not tell whether the server had all of it when the line broke. So each step is a call
//! of its own here.

use std::time::Duration;

use lettre::{
    Address, Message,
    message::{
        Mailbox,
        header::{ContentType, Header, HeaderName, HeaderValue},
    },
    transport::smtp::{
        Error,
        authentication::Mechanism,
        client::AsyncSmtpConnection,
        commands::{Data, Mail as MailFrom, Rcpt},
        extension::ClientId,
        response::Response,
    },
};
use shared::views::mail::Words;
use uuid::Uuid;

use super::{
    failure::{Failure, Step},
    server::{MailConfig, Security},
};

/// For each step; a server that wants longer is asked again later.
const STEP: Duration = Duration::from_secs(20);
/// For the answer to the text: RFC 5321 would have ten minutes (4.5.3.2.6). Who gives up sooner may send twice: we do not send again.
const ANSWER: Duration = Duration::from_secs(60);
/// Connect, STARTTLS, log in, four steps and the answer: a lease that is longer outlasts a conversation.
pub const LONGEST: Duration = Duration::from_secs(6 * 20 + 60);

/// Says to machines that no person wrote it: no holiday notice answers (RFC 3834, 5).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Where mailboxes show a way to want no more (RFC 2369, 3.2), and what they send there on a click (RFC 8058).
#[derive(Clone)]
struct ListUnsubscribe(String);

impl Header for ListUnsubscribe {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe")
    }

    fn parse(value: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(value.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), format!("<{}>", self.0))
    }
}

#[derive(Clone)]
struct OneClick;

impl Header for OneClick {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe-Post")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "List-Unsubscribe=One-Click".to_owned())
    }
}

/// Sends mail in one name over one server.
#[derive(Debug, Clone)]
pub struct Mailer {
    config: MailConfig,
    step: Duration,
    answer: Duration,
}

/// A conversation with a server that may be given a mail.
pub struct Session<'a> {
    mailer: &'a Mailer,
    connection: AsyncSmtpConnection,
}

impl Mailer {
    pub fn new(config: MailConfig) -> Self {
        Self { config, step: STEP, answer: ANSWER }
    }

    /// The same with less patience, for tests.
    #[must_use]
    pub fn with_patience(self, step: Duration, answer: Duration) -> Self {
        Self { step, answer, ..self }
    }

    /// Connects, and logs in. Nothing is sent without the protection that the configuration demands.
    pub async fn connect(&self) -> Result<Session<'_>, Failure> {
        let server = &self.config.server;
        let name = ClientId::Domain(self.config.from.email.domain().to_owned());
        let tls = || server.tls().map_err(|error| Failure::of(Step::Connect, &error));
        let wrapper = (server.security == Security::Implicit).then(tls).transpose()?;
        let address = (server.host.as_str(), server.port);
        let connecting = AsyncSmtpConnection::connect_tokio1(address, Some(self.step), &name, wrapper, None);
        let connection = within(self.step, Step::Connect, connecting).await?;
        let mut session = Session { mailer: self, connection };
        if server.security == Security::StartTls {
            if !session.connection.can_starttls() {
                let said = "the server offers no STARTTLS, and nothing is sent without TLS";
                return Err(Failure::without_answer(Step::StartTls, said));
            }
            within(self.step, Step::StartTls, session.connection.starttls(tls()?, &name)).await?;
        }
        if let Some(credentials) = server.credentials() {
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            let answer =
                within(self.step, Step::Login, session.connection.auth(&mechanisms, &credentials)).await?;
            expect(Step::Login, &answer, 235)?;
        }
        Ok(session)
    }

    /// A mail as it is sent; `None`: these words make none. `id`: the same for each try, so that a mailbox may know it again.
    pub fn message(&self, to: &Address, words: &Words, id: Uuid) -> Option<Message> {
        let from = &self.config.from;
        let mut built = Message::builder()
            .from(Mailbox::clone(from))
            .to(Mailbox::new(None, to.clone()))
            .subject(&words.subject)
            .message_id(Some(format!("<{id}@{}>", from.email.domain())))
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN);
        if let Some(stop) = &words.stop {
            built = built.header(ListUnsubscribe(stop.clone())).header(OneClick);
        }
        built.body(words.text.clone()).ok()
    }
}

impl Session<'_> {
    /// Gives it one mail, and ends the conversation. Answers what the server said when it took it.
    pub async fn send(mut self, message: &Message) -> Result<String, Failure> {
        let taken = self.give(message).await;
        if taken.is_ok() {
            // It has the mail: what it says to our leaving changes nothing.
            drop(tokio::time::timeout(self.mailer.step, self.connection.quit()).await);
        }
        taken
    }

    /// Ends it without a mail.
    pub async fn leave(mut self) {
        drop(tokio::time::timeout(self.mailer.step, self.connection.quit()).await);
    }

    async fn give(&mut self, message: &Message) -> Result<String, Failure> {
        let (envelope, text) = (message.envelope(), message.formatted());
        let (step, answer) = (self.mailer.step, self.mailer.answer);
        let connection = &mut self.connection;
        let from = MailFrom::new(envelope.from().cloned(), Vec::new());
        within(step, Step::Sender, connection.command(from)).await?;
        for to in envelope.to() {
            let to = Rcpt::new(to.clone(), Vec::new());
            within(step, Step::Recipient, connection.command(to)).await?;
        }
        expect(Step::Data, &within(step, Step::Data, connection.command(Data)).await?, 354)?;
        let response = within(answer, Step::Text, connection.message(&text)).await?;
        expect(Step::Text, &response, 250)?;
        let lines: Vec<&str> = response.message().collect();
        Ok(format!("{} {}", response.code(), lines.join(" ")))
    }
}

/// Any 2xx or 3xx is good to lettre. What somebody slipped in before STARTTLS, as if it were an answer within TLS, puts all answers one
/// step off (CVE-2011-0411): then one of these is another step's.
fn expect(step: Step, answer: &Response, code: u16) -> Result<(), Failure> {
    match answer.has_code(code) {
        true => Ok(()),
        false => Err(Failure::without_answer(step, "the server's answer belongs to something else")),
    }
}

/// A step, while there is patience for it.
async fn within<T>(
    patience: Duration,
    step: Step,
    done: impl Future<Output = Result<T, Error>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(patience, done).await {
        Ok(answered) => answered.map_err(|error| Failure::of(step, &error)),
        Err(_) => Err(Failure::without_answer(step, "the server did not answer in time")),
    }
}
