//! One conversation. In: a connection. Out: answers, and a mail for each that was sent whole.

use std::io;

use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::{
    envelope::{Mail, path},
    state::{Fault, Security, Shared},
};
use crate::lock::lock;

/// Of a command, and of a line of text: RFC 5321, 4.5.3.1, with room.
const LONGEST_LINE: usize = 4096;
const LARGEST_MAIL: usize = 1024 * 1024;

/// A connection, in the clear or within TLS.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// What was agreed on so far; STARTTLS begins anew (RFC 3207, 4.2).
#[derive(Default)]
struct Said {
    greeted: bool,
    login: Option<String>,
    mail: Option<Mail>,
}

/// What follows a part of a conversation.
enum Then {
    End,
    StartTls,
}

pub(super) async fn serve(shared: Shared, stream: TcpStream) {
    // Whoever hangs up has said all they wanted to.
    let stop = shared.stop.clone();
    drop(stop.run_until_cancelled(converse(&shared, stream)).await);
}

async fn converse(shared: &Shared, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if shared.options.security == Security::Implicit {
        let tls = shared.tls.accept(stream).await?;
        return Conversation::new(shared, tls, true).run(true).await.map(drop);
    }
    let mut conversation = Conversation::new(shared, stream, false);
    match conversation.run(true).await? {
        Then::End => Ok(()),
        // What the client sent before the handshake would be taken as sent within TLS (CVE-2011-0411): it is refused.
        Then::StartTls if !conversation.stream.buffer().is_empty() => Ok(()),
        Then::StartTls => {
            let tls = shared.tls.accept(conversation.stream.into_inner()).await?;
            Conversation::new(shared, tls, true).run(false).await.map(drop)
        }
    }
}

struct Conversation<'a, S> {
    shared: &'a Shared,
    stream: BufReader<S>,
    is_encrypted: bool,
    hides_starttls: bool,
    said: Said,
}

impl<'a, S: Stream> Conversation<'a, S> {
    fn new(shared: &'a Shared, stream: S, is_encrypted: bool) -> Self {
        let stream = BufReader::new(stream);
        Self { shared, stream, is_encrypted, hides_starttls: false, said: Said::default() }
    }

    async fn run(&mut self, greets: bool) -> io::Result<Then> {
        if greets {
            if self.shared.takes(Fault::Greeting421) {
                self.answer("421 4.3.2 sandbox has too much to do").await?;
                return Ok(Then::End);
            }
            self.answer("220 sandbox ESMTP").await?;
        }
        while let Some(line) = self.line().await? {
            let (verb, arguments) = line.split_once(' ').unwrap_or((&line, ""));
            let (verb, arguments) = (verb.to_ascii_uppercase(), arguments.trim());
            lock(&self.shared.state).commands.push(verb.clone());
            match verb.as_str() {
                "EHLO" => self.ehlo().await?,
                "HELO" => {
                    self.said.greeted = true;
                    self.answer("250 sandbox").await?;
                }
                "STARTTLS" if self.offers_starttls() => {
                    let injected = match self.shared.takes(Fault::InjectAfterStartTls) {
                        true => "\r\n250-sandbox\r\n250 AUTH PLAIN",
                        false => "",
                    };
                    self.answer(&format!("220 2.0.0 go ahead{injected}")).await?;
                    return Ok(Then::StartTls);
                }
                "AUTH" => self.auth(arguments).await?,
                "MAIL" => self.mail(arguments).await?,
                "RCPT" => self.rcpt(arguments).await?,
                "DATA" => {
                    if !self.data().await? {
                        return Ok(Then::End);
                    }
                }
                "RSET" => {
                    self.said.mail = None;
                    self.answer("250 2.0.0 forgotten").await?;
                }
                "NOOP" => self.answer("250 2.0.0 fine").await?,
                "VRFY" => self.answer("252 2.1.5 send, and see").await?,
                "QUIT" => {
                    self.answer("221 2.0.0 good bye").await?;
                    return Ok(Then::End);
                }
                _ => self.answer("500 5.5.1 no such command").await?,
            }
        }
        Ok(Then::End)
    }

    fn offers_starttls(&self) -> bool {
        self.shared.options.security == Security::StartTls && !self.is_encrypted && !self.hides_starttls
    }

    /// A password is for nobody between us.
    fn may_log_in(&self) -> bool {
        self.is_encrypted || self.shared.options.security == Security::None
    }

    async fn ehlo(&mut self) -> io::Result<()> {
        if !self.is_encrypted && self.shared.takes(Fault::HideStartTls) {
            self.hides_starttls = true;
        }
        self.said = Said { greeted: true, login: self.said.login.take(), mail: None };
        let mut lines = vec!["sandbox".to_owned(), format!("SIZE {LARGEST_MAIL}"), "8BITMIME".to_owned()];
        lines.push("ENHANCEDSTATUSCODES".to_owned());
        if self.offers_starttls() {
            lines.push("STARTTLS".to_owned());
        }
        if self.shared.options.login.is_some() && self.may_log_in() {
            lines.push("AUTH PLAIN LOGIN".to_owned());
        }
        let last = lines.len() - 1;
        let said = lines.iter().enumerate().map(|(at, line)| {
            let mark = if at == last { ' ' } else { '-' };
            format!("250{mark}{line}")
        });
        let said = said.collect::<Vec<_>>().join("\r\n");
        self.answer(&said).await
    }

    async fn auth(&mut self, arguments: &str) -> io::Result<()> {
        let Some(login) = self.shared.options.login.clone() else {
            return self.answer("502 5.5.1 nobody logs in here").await;
        };
        if !self.may_log_in() {
            return self.answer("538 5.7.11 TLS first").await;
        }
        if self.said.login.is_some() {
            return self.answer("503 5.5.1 once is enough").await;
        }
        let (mechanism, initial) = arguments.split_once(' ').unwrap_or((arguments, ""));
        let given = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => {
                let encoded = if initial.is_empty() { self.ask("").await? } else { initial.to_owned() };
                plain(&encoded)
            }
            "LOGIN" => {
                let user = if initial.is_empty() { self.ask("Username:").await? } else { initial.to_owned() };
                let password = self.ask("Password:").await?;
                decoded(&user).zip(decoded(&password))
            }
            _ => return self.answer("504 5.5.4 PLAIN or LOGIN").await,
        };
        match given {
            None => self.answer("501 5.5.2 that is no base64 of a login").await,
            Some(given) if given == login => {
                self.said.login = Some(given.0);
                self.answer("235 2.7.0 welcome").await
            }
            Some(_) => self.answer("535 5.7.8 user or password is wrong").await,
        }
    }

    /// Asks for one more line of a login.
    async fn ask(&mut self, what: &str) -> io::Result<String> {
        self.answer(&format!("334 {}", STANDARD.encode(what))).await?;
        Ok(self.line().await?.unwrap_or_default())
    }

    async fn mail(&mut self, arguments: &str) -> io::Result<()> {
        if !self.said.greeted || self.said.mail.is_some() {
            return self.answer("503 5.5.1 not now").await;
        }
        if self.shared.options.login.is_some() && self.said.login.is_none() {
            return self.answer("530 5.7.0 log in first").await;
        }
        let Some((from, _)) = path(arguments, "FROM:") else {
            return self.answer("501 5.1.7 MAIL FROM:<address>").await;
        };
        let (was_encrypted, login) = (self.is_encrypted, self.said.login.clone());
        self.said.mail = Some(Mail { from: from.to_owned(), was_encrypted, login, ..Mail::default() });
        self.answer("250 2.1.0 yes").await
    }

    async fn rcpt(&mut self, arguments: &str) -> io::Result<()> {
        let Some(mail) = &mut self.said.mail else { return self.answer("503 5.5.1 MAIL first").await };
        let Some((to, _)) = path(arguments, "TO:").filter(|(to, _)| !to.is_empty()) else {
            return self.answer("501 5.1.3 RCPT TO:<address>").await;
        };
        if self.shared.takes(Fault::Recipient450) {
            return self.answer("450 4.2.1 come back in a while").await;
        }
        if self.shared.takes(Fault::Recipient550) {
            let refused = format!("550 5.1.1 <{to}>: nobody of that name");
            return self.answer(&refused).await;
        }
        mail.to.push(to.to_owned());
        self.answer("250 2.1.5 yes").await
    }

    /// `false`: the conversation is over.
    async fn data(&mut self) -> io::Result<bool> {
        let Some(mut mail) = self.said.mail.take_if(|mail| !mail.to.is_empty()) else {
            self.answer("503 5.5.1 RCPT first").await?;
            return Ok(true);
        };
        self.answer("354 until a line with a dot alone").await?;
        if self.shared.takes(Fault::DropInData) {
            return Ok(false);
        }
        while let Some(line) = self.line().await? {
            if line == "." {
                lock(&self.shared.state).mails.push(mail);
                if self.shared.takes(Fault::HangAfterData) {
                    self.shared.stop.cancelled().await;
                }
                if self.shared.takes(Fault::DropBeforeAnswer) {
                    return Ok(false);
                }
                self.answer("250 2.0.0 taken as 1").await?;
                return Ok(true);
            }
            // RFC 5321, 4.5.2.
            mail.text.push_str(line.strip_prefix('.').unwrap_or(&line));
            mail.text.push('\n');
            if mail.text.len() > LARGEST_MAIL {
                self.answer("552 5.3.4 that is too much").await?;
                return Ok(false);
            }
        }
        Ok(false)
    }

    async fn answer(&mut self, said: &str) -> io::Result<()> {
        self.stream.write_all(format!("{said}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }

    async fn line(&mut self) -> io::Result<Option<String>> {
        read_line(&mut self.stream).await
    }
}

/// The next line without its end; `None`: there is none, or it is endless.
async fn read_line(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    loop {
        let read = stream.fill_buf().await?;
        if read.is_empty() {
            return Ok(None);
        }
        let end = read.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(read.len(), |end| end + 1);
        bytes.extend_from_slice(&read[..taken]);
        stream.consume(taken);
        if end.is_some() {
            let line = String::from_utf8_lossy(&bytes);
            return Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()));
        }
        if bytes.len() > LONGEST_LINE {
            return Ok(None);
        }
    }
}

fn decoded(encoded: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
}

/// User and password of RFC 4616.
fn plain(encoded: &str) -> Option<(String, String)> {
    let text = decoded(encoded)?;
    let mut parts = text.split('\0').skip(1);
    Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
}
