//! Codes by e-mail: whoever reads mail to the address that Stripe has of a customer is that customer, and nobody else. In: a subscription
//! without any metadata, an address that somebody names. Out: mail, links and roles, or none.

#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

use std::time::{Duration, Instant};

use futures::future::join_all;
use nexrole::scenario::Member;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use sandbox::smtp::{self, Fault, Mail, Options, Running, Security};
use shared::{
    actions::{
        redeem_claim_code::{Links, Redeemed, redeem_claim_code},
        send_claim_code::{Sent, send_claim_code},
    },
    crypto::Keyring,
    db::{pg_roles::Login, pool::Pool},
    domain::email::EmailAddress,
    ids::{GuildId, UserId},
    sessions::{Claimant, Resumed, Sessions},
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::support::{
    scale::{scaled, seed},
    tenants::ENCRYPTION_KEYS,
    world::World,
};

const ADDRESS: &str = "Ana.Meier+shop@example.test";

/// A world whose gateway sends mail.
struct Stage {
    world: World,
    mails: Running,
    gateway: Pool,
    keyring: Keyring,
}

impl Stage {
    async fn set() -> Self {
        let mut world = World::without_services().await;
        let mails =
            smtp::serve(Options { port: 0, security: Security::StartTls, login: None }).await.unwrap();
        let url = format!("smtp://localhost:{}?tls=required", mails.address.port());
        world.set("SMTP_URL", &url);
        world.set("SMTP_CA", &mails.certificate);
        world.set("MAIL_FROM", "roles@example.com");
        world.map("price", &world.price.clone(), world.vip).await;
        world.start_gateway().await;
        world.start_bot().await;
        world.until_every_mapped_role_is_seen().await;
        let gateway = world.login(Login::Gateway);
        Self { world, mails, gateway, keyring: Keyring::parse(ENCRYPTION_KEYS).unwrap() }
    }

    /// Somebody in the server whom Stripe knows nothing of.
    async fn somebody(&self, name: &str) -> Member {
        let user = self.world.discord.join(self.world.guild, name).await.unwrap();
        Member { user, customer: String::new() }
    }

    /// A customer who pays, and whom nothing ties to Discord.
    async fn payer(&self, address: &str) -> String {
        let customer = self.world.stripe.create_customer(Some(address), &[]).await.unwrap();
        self.world.stripe.subscribe(&customer, &self.world.price).await.unwrap();
        customer
    }

    /// Logs somebody in.
    async fn claimant(&self, member: &Member) -> Claimant {
        let (user, sessions) = (UserId::from_u64(member.user).unwrap(), Sessions::new(self.gateway.clone()));
        let cookie = sessions.begin(user, "name", None).await.unwrap();
        match sessions.resume(Some(&cookie)).await.unwrap() {
            Resumed::Somebody(subscriber, _) => {
                Claimant::of_session(&subscriber, GuildId::from_u64(self.world.guild).unwrap())
            }
            other => panic!("{other:?}"),
        }
    }

    async fn send(&self, member: &Member, address: &str) -> Sent {
        let address = EmailAddress::parse(address).unwrap();
        send_claim_code(&self.gateway, &self.keyring, &self.claimant(member).await, &address).await.unwrap()
    }

    /// The same, of one that is on its way.
    async fn sent(&self, member: &Member, address: &str) -> Uuid {
        match self.send(member, address).await {
            Sent::OnItsWay(id) => id,
            other => panic!("{other:?}"),
        }
    }

    async fn redeem(&self, member: &Member, id: Uuid, typed: &str) -> Redeemed {
        redeem_claim_code(&self.gateway, &self.keyring, &self.claimant(member).await, id, typed)
            .await
            .unwrap()
    }

    /// Waits until so many mails have come, and answers the last.
    async fn until_mails(&self, count: usize) -> Mail {
        self.world.until("the mail has come", async || self.mails.mails().len() >= count).await;
        self.mails.mails().pop().unwrap()
    }

    /// `state: outcome` of each mail, oldest first.
    async fn states(&self) -> Vec<String> {
        let states = "SELECT concat_ws(': ', state, outcome) FROM mails ORDER BY created_at";
        sqlx::query_scalar(states).fetch_all(self.world.db()).await.unwrap()
    }

    async fn until_states(&self, expected: &[&str]) {
        let is_so = |found: &[String]| {
            found.len() == expected.len()
                && found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected))
        };
        self.world.until(&format!("mails are {expected:?}"), async || is_so(&self.states().await)).await;
    }

    async fn count(&self, what: &str) -> i64 {
        let query = format!("SELECT count(*) FROM {what}");
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(self.world.db()).await.unwrap()
    }

    async fn change(&self, statement: &'static str) {
        sqlx::query(statement).execute(self.world.db()).await.unwrap();
    }
}

fn code(mail: &Mail) -> String {
    let is_code = |line: &&str| line.len() == 8 && line.bytes().all(|byte| byte.is_ascii_digit());
    mail.body().lines().find(is_code).expect("a code on a line of its own").to_owned()
}

/// Another code than this.
fn other(code: &str) -> String {
    code.chars().map(|digit| if digit == '9' { '0' } else { '9' }).collect()
}

const LINKED: Redeemed = Redeemed::Linked(Links { linked: 1, already: 0, taken: 0, rests_until: None });

#[tokio::test]
async fn who_reads_mail_to_the_address_that_stripe_has_gets_the_role_and_nothing_of_the_address_is_kept() {
    let stage = Stage::set().await;
    let ana = stage.somebody("ana").await;
    stage.payer(ADDRESS).await;
    let id = stage.sent(&ana, ADDRESS).await;
    let mail = stage.until_mails(1).await;
    assert_eq!((&mail.to[..], mail.was_encrypted), (&[ADDRESS.to_owned()][..], true));
    stage.until_states(&["sent"]).await;
    assert_eq!(stage.redeem(&ana, id, &code(&mail)).await, LINKED);
    stage.world.until_vip(&ana).await;
    let proof: Vec<String> =
        sqlx::query_scalar("SELECT proof FROM member_links").fetch_all(stage.world.db()).await.unwrap();
    assert_eq!(proof, ["email"]);
    for table in ["mails", "claim_codes", "audit_log", "activity_log", "customers"] {
        let rows = format!("SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} t");
        let rows: String = sqlx::query_scalar(AssertSqlSafe(rows)).fetch_one(stage.world.db()).await.unwrap();
        for secret in ["example.test", &hex::encode("example.test"), &code(&mail)] {
            assert!(!rows.contains(secret), "{table}: {rows}");
        }
    }
    assert_eq!(stage.count("mails WHERE recipient IS NOT NULL OR arguments IS NOT NULL").await, 0);
    stage.world.finish().await;
}

#[tokio::test]
async fn an_address_that_stripe_has_not_gets_no_mail_and_the_same_answer() {
    let stage = Stage::set().await;
    let (eve, mallory) = (stage.somebody("eve").await, stage.somebody("mallory").await);
    stage.payer(ADDRESS).await;
    let addresses = [
        "nobody@example.test",
        "Ana.Meier@example.test",
        "AnaMeier+shop@example.test",
        "Ana.Meier+shop@exаmple.test",
    ];
    for address in addresses {
        // Each of them is on its way, as far as anybody can see.
        stage.sent(&eve, address).await;
    }
    stage.until_states(&["nobody"; 4]).await;
    // Who asks for what is Ana's has a code sent to Ana, and another user cannot use it.
    let id = stage.sent(&eve, ADDRESS).await;
    let mail = stage.until_mails(1).await;
    assert_eq!(mail.to, [ADDRESS]);
    assert_eq!(stage.redeem(&mallory, id, &code(&mail)).await, Redeemed::Gone);
    // In small letters it is the same mailbox only if Stripe has it so, and Stripe's spelling is what is written to.
    stage.payer("ben@example.test").await;
    stage.sent(&mallory, "BEN@Example.TEST").await;
    assert_eq!(stage.until_mails(2).await.to, ["ben@example.test"]);
    assert_eq!(stage.count("member_links").await, 0);
    stage.world.finish().await;
}

/// What differs is found out when the mail's turn comes.
#[tokio::test]
async fn whether_a_customer_has_the_address_changes_nothing_about_the_request() {
    let mut stage = Stage::set().await;
    let (ana, eve) = (stage.somebody("ana").await, stage.somebody("eve").await);
    stage.payer("ana@example.test").await;
    stage.world.settle().await;
    stage.world.stop_gateway().await;
    let reads = stage.world.stripe.requests().await.unwrap().len();
    stage.sent(&ana, "ana@example.test").await;
    stage.sent(&eve, "eve@example.test").await;
    assert_eq!(stage.world.stripe.requests().await.unwrap().len(), reads, "Stripe is asked later");
    for written in [
        "SELECT (kind, length(recipient), length(arguments), state, attempts, expires_at - created_at)::text FROM mails",
        "SELECT (length(code_hash), length(address_hash), state, tries, customer_ids, expires_at - created_at)::text FROM claim_codes",
    ] {
        let rows: Vec<String> = sqlx::query_scalar(written).fetch_all(stage.world.db()).await.unwrap();
        assert!(rows.len() == 2 && rows[0] == rows[1], "{rows:?}");
    }
    stage.world.start_gateway().await;
    stage
        .world
        .until("one is sent, one is not", async || {
            let mut states = stage.states().await;
            states.sort_unstable();
            states == ["nobody: no customer has the address", "sent"]
        })
        .await;
    stage.world.finish().await;
}

/// Nor does its time: how often a try for an address that a customer has takes longer than one for another is even chance.
#[tokio::test]
async fn the_time_that_a_request_takes_does_not_tell_whether_a_customer_has_the_address() {
    let stage = Stage::set().await;
    let ana = stage.somebody("ana").await;
    stage.payer(ADDRESS).await;
    let claimant = stage.claimant(&ana).await;
    let [known, other] = [ADDRESS, "Bob.Meier+shop@example.test"].map(|it| EmailAddress::parse(it).unwrap());
    let tries = scaled(300, 10_000);
    let mut random = StdRng::seed_from_u64(seed());
    let mut times = Vec::with_capacity(tries);
    for _ in 0..tries {
        let is_known = random.random_bool(0.5);
        let began = Instant::now();
        let sent = send_claim_code(
            &stage.gateway,
            &stage.keyring,
            &claimant,
            if is_known { &known } else { &other },
        );
        let sent = sent.await.unwrap();
        times.push((began.elapsed(), is_known));
        assert!(matches!(sent, Sent::OnItsWay(_)), "{sent:?}");
        // Limits are another test's.
        stage
            .change(
                "UPDATE claim_codes SET created_at = created_at - interval '4 h'
                  WHERE created_at > now() - interval '3 h'",
            )
            .await;
    }
    times.sort();
    // Mann and Whitney's U, as the area under the curve.
    let known = times.iter().filter(|(_, is_known)| *is_known).count();
    let ranks = times.iter().enumerate().filter(|(_, (_, is_known))| *is_known).map(|(rank, _)| rank as f64);
    let (known, other) = (known as f64, (tries - known) as f64);
    let area = (ranks.sum::<f64>() - known * (known - 1.0) / 2.0) / (known * other);
    // Five standard deviations of what chance alone gives; of 10,000 tries that is less than 0.03.
    let chance = 5.0 * ((known + other + 1.0) / (12.0 * known * other)).sqrt();
    println!("{tries} tries: AUC {area:.4}, by chance 0.5 ± {chance:.4}");
    assert!((area - 0.5).abs() <= chance, "AUC {area}");
    stage.world.finish().await;
}

#[tokio::test]
async fn a_code_is_used_once_however_many_use_it_at_the_same_moment() {
    let stage = Stage::set().await;
    let ana = stage.somebody("ana").await;
    stage.payer(ADDRESS).await;
    let id = stage.sent(&ana, ADDRESS).await;
    let right = code(&stage.until_mails(1).await);
    let all = join_all((0..20).map(|_| stage.redeem(&ana, id, &right))).await;
    let linked = all.iter().filter(|it| **it == LINKED).count();
    let gone = all.iter().filter(|it| **it == Redeemed::Gone).count();
    assert_eq!((linked, gone), (1, 19), "{all:?}");
    stage.world.until_vip(&ana).await;
    stage.world.finish().await;
}

#[tokio::test]
async fn five_wrong_codes_lock_this_user_for_this_address_and_nobody_else() {
    let stage = Stage::set().await;
    let (eve, ana) = (stage.somebody("eve").await, stage.somebody("ana").await);
    stage.payer(ADDRESS).await;
    let id = stage.sent(&eve, ADDRESS).await;
    let right = code(&stage.until_mails(1).await);
    for left in [4, 3, 2, 1] {
        assert_eq!(stage.redeem(&eve, id, &other(&right)).await, Redeemed::Wrong(left));
    }
    assert!(matches!(stage.redeem(&eve, id, "nonsense").await, Redeemed::Locked(_)));
    assert!(
        matches!(stage.redeem(&eve, id, &right).await, Redeemed::Locked(_)),
        "the sixth, though it is right"
    );
    assert!(matches!(stage.send(&eve, ADDRESS).await, Sent::Locked(_)), "nor a new one");
    assert_eq!(stage.count("activity_log WHERE action = 'claim.locked'").await, 1, "one lock is told once");
    stage.sent(&eve, "other@example.test").await;
    // Whose address it is gets in.
    let id = stage.sent(&ana, ADDRESS).await;
    assert_eq!(stage.redeem(&ana, id, &code(&stage.until_mails(2).await)).await, LINKED);
    stage.world.finish().await;
}

#[tokio::test]
async fn a_code_is_gone_after_ten_minutes_and_when_a_newer_one_is_sent() {
    let stage = Stage::set().await;
    let (ana, ben) = (stage.somebody("ana").await, stage.somebody("ben").await);
    stage.payer(ADDRESS).await;
    let first = stage.sent(&ana, ADDRESS).await;
    let old = code(&stage.until_mails(1).await);
    let second = stage.sent(&ana, ADDRESS).await;
    let new = code(&stage.until_mails(2).await);
    assert_eq!(stage.redeem(&ana, first, &old).await, Redeemed::Gone);
    stage.change("UPDATE claim_codes SET expires_at = now() WHERE state = 'open'").await;
    assert_eq!(stage.redeem(&ana, second, &new).await, Redeemed::Gone, "in the eleventh minute");
    // So many an hour go to one address, whoever asks.
    let third = stage.sent(&ben, ADDRESS).await;
    assert_eq!(stage.send(&ben, ADDRESS).await, Sent::TooMany);
    assert_eq!(stage.redeem(&ben, third, &code(&stage.until_mails(3).await)).await, LINKED);
    assert_eq!(stage.redeem(&ben, third, &new).await, Redeemed::Gone, "a second time");
    stage.world.finish().await;
}

#[tokio::test]
async fn a_customer_that_is_somebodys_stays_theirs() {
    let stage = Stage::set().await;
    let (ana, ben) = (stage.somebody("ana").await, stage.somebody("ben").await);
    stage.payer(ADDRESS).await;
    for (member, links) in [
        (&ana, Links { linked: 1, ..Links::default() }),
        (&ana, Links { already: 1, ..Links::default() }),
        (&ben, Links { taken: 1, ..Links::default() }),
    ] {
        let id = stage.sent(member, ADDRESS).await;
        stage.until_states(&vec!["sent"; stage.mails.mails().len() + 1]).await;
        let right = code(&stage.mails.mails().pop().unwrap());
        assert_eq!(stage.redeem(member, id, &right).await, Redeemed::Linked(links));
    }
    stage.world.until_vip(&ana).await;
    assert!(!stage.world.has(&ben, stage.world.vip).await);
    stage.world.finish().await;
}

#[tokio::test]
async fn what_is_refused_for_now_is_sent_again_and_what_may_be_there_is_not() {
    let mut stage = Stage::set().await;
    let ana = stage.somebody("ana").await;
    stage.payer(ADDRESS).await;
    stage.payer("ben@example.test").await;
    // Greylisting.
    stage.mails.fault(Fault::Recipient450);
    stage.sent(&ana, ADDRESS).await;
    stage.until_states(&["pending: the recipient: the mail server said 450 4.2.1"]).await;
    stage.until_states(&["sent"]).await;
    assert_eq!(stage.mails.mails().len(), 1);
    // Nobody of that name; and a server that takes it and says nothing.
    stage.mails.fault(Fault::Recipient550);
    stage.sent(&ana, ADDRESS).await;
    stage.until_states(&["sent", "refused: the recipient: the mail server said 550 5.1.1"]).await;
    stage.mails.fault(Fault::DropBeforeAnswer);
    stage.sent(&ana, ADDRESS).await;
    stage.until_states(&["sent", "refused", "unsure: the mail's text: the mail server never said"]).await;
    assert_eq!(stage.mails.mails().len(), 2);
    // The gateway dies while the server has it: it is in doubt, and not sent again.
    stage.mails.fault(Fault::HangAfterData);
    stage.sent(&ana, "ben@example.test").await;
    stage.until_mails(3).await;
    stage.world.kill_gateway().await;
    stage.change("UPDATE mails SET next_at = now() WHERE state = 'pending'").await;
    stage.world.start_gateway().await;
    stage.until_states(&["sent", "refused", "unsure", "unsure: it was not heard"]).await;
    assert_eq!(stage.mails.mails().len(), 3);
    assert_eq!(
        stage.count("mails WHERE recipient IS NOT NULL OR arguments IS NOT NULL").await,
        0,
        "addresses are gone"
    );
    stage.world.finish().await;
}

#[tokio::test]
async fn a_mail_is_not_sent_by_two_gateways_nor_when_it_is_too_late() {
    let mut stage = Stage::set().await;
    let ana = stage.somebody("ana").await;
    stage.payer(ADDRESS).await;
    stage.world.kill_gateway().await;
    stage.sent(&ana, ADDRESS).await;
    stage.change("UPDATE mails SET expires_at = now()").await;
    let second = stage.sent(&ana, ADDRESS).await;
    let states = stage.states().await;
    assert_eq!(states, ["cancelled", "pending"], "a newer one says more");
    stage.change("UPDATE mails SET expires_at = now() WHERE state = 'pending'").await;
    let third = stage.sent(&ana, "ben@example.test").await;
    assert_ne!(second, third);
    stage.world.start_gateway().await;
    stage.until_states(&["cancelled", "expired", "nobody"]).await;
    assert!(stage.mails.mails().is_empty() && stage.mails.connections() == 0);
    tokio::time::timeout(Duration::from_secs(60), stage.world.finish()).await.expect("it ends");
}
