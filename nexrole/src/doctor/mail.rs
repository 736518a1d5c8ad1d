//! Whether mail can be sent. In: the gateway's mail server. Out: whether it answers, over TLS, and takes the login; no mail is sent.

use shared::{
    config::{Env, Reader},
    db::pool::within,
    domain::mail::MailState,
    ids::GuildId,
    store::health_facts,
};
use sqlx::PgConnection;
use webhook_gateway::mail::{MailConfig, Mailer, Security, Step};

use super::findings::{Check, Findings};

pub(super) async fn check(findings: &mut Findings, env: &Env, config: Option<&MailConfig>) {
    let Some(config) = config else {
        // What is wrong with the variables is one of the configuration's problems already.
        if !Reader::new(env).given("SMTP_URL") {
            findings.ok(Check::MailServer, "SMTP_URL is not set: no mail is sent");
            findings.ok(Check::MailDomain, "no mail is sent");
        }
        return;
    };
    server(findings, config).await;
    domain(findings, config);
}

/// What was not simply sent within a day. In: the rows of mails that were.
pub(super) async fn check_sent(
    findings: &mut Findings,
    db: &mut PgConnection,
    guilds: &[GuildId],
) -> Result<(), sqlx::Error> {
    let mut none = true;
    for &guild in guilds {
        for found in within(health_facts::mails_not_sent(db, guild)).await? {
            let what = match found.state {
                MailState::Pending => "wait, and are tried again",
                MailState::Unsure => "may have been sent or not",
                _ => "were not sent",
            };
            let why = found.outcome.as_deref().unwrap_or("no reason was written down");
            let detail = format!("server {guild}: {} mail(s) of the last day {what}: {why}", found.count);
            findings.warn(Check::MailSent, detail, "`nexrole mail test ADDRESS` shows what the mail server says; whoever waits can ask for another code");
            none = false;
        }
    }
    if none {
        findings.ok(Check::MailSent, "no mail of the last day failed");
    }
    Ok(())
}

async fn server(findings: &mut Findings, config: &MailConfig) {
    let mailer = Mailer::new(config.clone());
    match mailer.connect().await {
        Ok(session) => {
            session.leave().await;
            let how = match config.server.security {
                Security::Implicit => "over TLS",
                Security::StartTls => "over TLS (STARTTLS, demanded)",
                Security::None => "on this machine, without TLS",
            };
            findings.ok(Check::MailServer, format!("it answers {how}, and would take a mail"));
        }
        Err(failure) => {
            let fix = match failure.step {
                Step::Login => {
                    "look at user and password in SMTP_URL: an @ or a / in them is written %40, %2F"
                }
                Step::StartTls => {
                    "smtps://… with port 465, if the server has it; or another server: this one offers no TLS that we can trust"
                }
                _ => {
                    "look at server and port in SMTP_URL, and whether this machine may connect there (cheap hosting plans close 25, 465 and \
                     587); a certificate of an authority of your own goes to SMTP_CA_FILE"
                }
            };
            findings.fail(Check::MailServer, failure.to_string(), fix);
        }
    }
}

/// We look up no DNS records but addresses, so this is a person's to look at, each time.
fn domain(findings: &mut Findings, config: &MailConfig) {
    let domain = config.from.email.domain();
    findings.ask(
        Check::MailDomain,
        format!("do SPF and DMARC let this server send as {domain}? Not checked: Nexrole looks up no DNS records"),
        format!(
            "dig +short TXT {domain} (one line v=spf1 …, with your mail provider in it) and dig +short TXT _dmarc.{domain} (v=DMARC1 …); then \
             `nexrole mail test ADDRESS` to a mailbox elsewhere, whose headers say spf=pass and dkim=pass"
        ),
    );
}
