//! Who pays and is linked to nobody is written to at the owner's word: once, and once more at most, and never who wants no such mail. In:
//! `nexrole mail invite`. Out: mail, what its links do, and what came of each.

use std::{process::Stdio, time::Duration};

use reqwest::StatusCode;
use sandbox::smtp::{Mail, Running};
use shared::{db::pg_roles::Login, store::mails};
use tokio::process::Command;

use crate::support::{own_server::NEXROLE, tenants::ENCRYPTION_KEYS, world::World};

struct Stage {
    world: World,
    mails: Running,
}

impl Stage {
    async fn set() -> Self {
        let mut world = World::without_services().await;
        let mails = world.set_up_mail().await;
        let origin = world.gateway_url.clone();
        world.set("PUBLIC_URL", &origin);
        world.map("price", &world.price.clone(), world.vip).await;
        world.start_gateway().await;
        world.start_bot().await;
        Self { world, mails }
    }

    /// A customer who pays, and whom nothing ties to Discord.
    async fn payer(&self, address: Option<&str>) -> String {
        let customer = self.world.stripe.create_customer(address, &[]).await.expect("it is made");
        self.world.stripe.subscribe(&customer, &self.world.price).await.expect("they pay");
        customer
    }

    async fn read(&self) {
        self.world.heard().await;
        self.world.settle().await;
    }

    /// What `nexrole mail invite` says.
    async fn invite(&self, more: &[&str]) -> String {
        let guild = self.world.guild.to_string();
        let mut command = Command::new(NEXROLE);
        command.args(["mail", "invite", "--guild", &guild]).args(more).current_dir(std::env::temp_dir());
        command.env("DATABASE_URL", self.world.database_url()).env("ENCRYPTION_KEYS", ENCRYPTION_KEYS);
        let output = command.stdin(Stdio::null()).output().await.expect("nexrole starts");
        let said = [output.stdout, output.stderr].concat();
        String::from_utf8(said).expect("text")
    }

    /// `state: outcome` of each mail, in order of the words.
    async fn states(&self) -> Vec<String> {
        let states = "SELECT concat_ws(': ', state, outcome) AS said FROM mails ORDER BY said";
        sqlx::query_scalar(states).fetch_all(self.world.db()).await.expect("they are read")
    }

    async fn until_states(&self, expected: &[&str]) {
        self.world
            .until(&format!("mails are {expected:?}"), async || {
                let found = self.states().await;
                found.len() == expected.len()
                    && found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected))
            })
            .await;
    }

    async fn change(&self, statement: &'static str) {
        sqlx::query(statement).execute(self.world.db()).await.expect("it is changed");
    }

    /// As long as nobody is reminded sooner.
    async fn a_week_passes(&self) {
        self.change("UPDATE claim_invitations SET invited_at = invited_at - interval '7 days'").await;
    }

    /// The two links of a mail.
    fn links(&self, mail: &Mail) -> (String, String) {
        let is_link = |line: &&str| line.starts_with(&self.world.gateway_url);
        let body = text(mail);
        let links: Vec<&str> = body.lines().filter(is_link).collect();
        let [claim, stop] = links[..] else { panic!("{body}") };
        (claim.to_owned(), stop.to_owned())
    }

    /// As a mailbox's own button does it: no cookie, no origin, without opening the page.
    async fn one_click(&self, link: &str) -> StatusCode {
        let form = [("List-Unsubscribe", "One-Click")];
        self.world.http.post(link).form(&form).send().await.expect("it is answered").status()
    }
}

/// What is read: long lines are sent in pieces (RFC 2045, 6.7).
fn text(mail: &Mail) -> String {
    mail.body().replace("=\n", "").replace("=3D", "=")
}

#[tokio::test]
async fn who_pays_and_is_nobody_is_told_once_and_reminded_once() {
    let stage = Stage::set().await;
    let member = stage.world.member().await;
    stage.world.subscribes(&member).await;
    stage.payer(Some("Ana@example.test")).await;
    stage.payer(None).await;
    stage.read().await;

    let refused = stage.invite(&[]).await;
    assert!(refused.contains("2 customers were told nothing yet") && refused.contains("--yes"), "{refused}");
    assert_eq!(stage.states().await, [""; 0], "nobody agreed");
    let said = stage.invite(&["--yes"]).await;
    assert!(said.contains("2 mails wait to be sent"), "{said}");
    stage.until_states(&["nobody: Stripe has no address", "sent"]).await;
    let [mail] = &stage.mails.mails()[..] else { panic!("{:?}", stage.mails.mails()) };
    assert_eq!(mail.to, ["Ana@example.test"]);
    assert!(text(mail).contains("You pay for VIP, with this e-mail address"), "{}", text(mail));
    let (claim, stop) = stage.links(mail);
    assert_eq!(claim, format!("{}/claim/{}/email", stage.world.gateway_url, stage.world.guild));
    assert_eq!(mail.header("List-Unsubscribe"), Some(format!("<{stop}>")));
    assert_eq!(mail.header("List-Unsubscribe-Post").as_deref(), Some("List-Unsubscribe=One-Click"));

    // Told once, however often it is asked for; and within a week nobody is reminded.
    for more in [&["--yes"][..], &["--yes", "--remind"]] {
        let said = stage.invite(more).await;
        assert!(said.contains("2 were told, and are left alone"), "{said}");
    }
    stage.a_week_passes().await;
    let said = stage.invite(&["--yes", "--remind"]).await;
    assert!(said.contains("2 were told a week ago or longer"), "{said}");
    stage.until_states(&["nobody", "nobody", "sent", "sent"]).await;
    let reminder = stage.mails.mails().pop().expect("a reminder");
    assert!(text(&reminder).contains("You are not reminded again"), "{}", text(&reminder));
    assert_eq!(stage.links(&reminder), (claim, stop), "the link in the first mail is still good");
    stage.a_week_passes().await;
    let said = stage.invite(&["--yes", "--remind"]).await;
    assert!(said.contains("2 were told, and are left alone"), "{said}");
    assert_eq!(stage.mails.mails().len(), 2);
    stage.world.close().await;
}

#[tokio::test]
async fn who_wants_no_such_mail_gets_none_and_only_who_has_the_mail_can_say_so() {
    let stage = Stage::set().await;
    stage.payer(Some("ana@example.test")).await;
    stage.read().await;
    stage.invite(&["--yes"]).await;
    stage.until_states(&["sent"]).await;
    let (_, stop) = stage.links(&stage.mails.mails()[0]);
    let stopped = async || -> i64 {
        let query = "SELECT count(*) FROM claim_invitations WHERE stopped_at IS NOT NULL";
        sqlx::query_scalar(query).fetch_one(stage.world.db()).await.expect("it is counted")
    };
    // Programs that look for harm open links.
    let page = stage.world.http.get(&stop).send().await.expect("it is answered");
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.expect("a page");
    assert!(page.contains("No more mail about this?") && page.contains("<form"), "{page}");
    assert_eq!(stopped().await, 0);
    // A letter more or less, another invitation, another server: nobody wrote that link.
    let (rest, secret) = stop.rsplit_once('/').expect("a secret");
    let (server, invitation) = rest.rsplit_once('/').expect("an invitation");
    let elsewhere = stop.replace(&stage.world.guild.to_string(), "81384788765712384");
    for forged in [
        format!("{rest}/{}", &secret[1..]),
        format!("{rest}/{secret}A"),
        format!("{rest}/{}", secret.to_lowercase()),
        format!("{server}/{}/{secret}", uuid::Uuid::new_v4()),
        format!("{server}/x/{secret}"),
        format!("{rest}/{}", "A".repeat(43)),
        elsewhere,
    ] {
        assert_ne!(forged, stop);
        assert_eq!(stage.one_click(&forged).await, StatusCode::NOT_FOUND, "{forged} {invitation}");
    }
    assert_eq!(stopped().await, 0);
    assert_eq!(stage.one_click(&stop).await, StatusCode::OK);
    assert_eq!((stage.one_click(&stop).await, stopped().await), (StatusCode::OK, 1), "again: no harm");
    stage.a_week_passes().await;
    let said = stage.invite(&["--yes", "--remind"]).await;
    assert!(said.contains("One wants no such mail, and gets none"), "{said}");
    assert_eq!(stage.mails.mails().len(), 1);
    stage.world.close().await;
}

#[tokio::test]
async fn who_is_linked_or_says_no_while_the_mail_waits_gets_none() {
    let stage = Stage::set().await;
    let ana = stage.payer(Some("ana@example.test")).await;
    stage.payer(Some("ben@example.test")).await;
    stage.read().await;
    let hold = "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.next_at := now() + interval '1 hour'; RETURN NEW; END $$";
    stage.change(hold).await;
    stage.change("CREATE TRIGGER hold BEFORE INSERT ON mails FOR EACH ROW EXECUTE FUNCTION hold()").await;
    stage.invite(&["--yes"]).await;
    let guild = stage.world.guild.to_string();
    let member = stage.world.member().await;
    let link = ["link", "add", "--guild", &guild, "--customer", &ana, "--user", &member.user.to_string()];
    stage.world.nexrole(&link).await.expect("it is linked");
    stage.change("UPDATE claim_invitations SET stopped_at = now() WHERE customer_id NOT IN (SELECT customer_id FROM member_links)").await;
    stage.change("UPDATE mails SET next_at = now()").await;
    stage.until_states(&["cancelled: they are linked", "cancelled: they are linked"]).await;
    assert_eq!(stage.mails.mails().len(), 0);
    stage.world.close().await;
}

/// However many invitations are late, a code that somebody waits for is sent next.
#[tokio::test]
async fn a_code_is_sent_before_invitations_that_wait_for_longer() {
    let world = World::without_services().await;
    world.map("price", &world.price.clone(), world.vip).await;
    for (kind, since, lives) in
        [("invitation", 3600, 259_200), ("claim_code", 0, 600), ("invitation", 1800, 259_200)]
    {
        let mail = "INSERT INTO mails (guild_id, mail_id, kind, recipient, arguments, next_at, expires_at)
                    SELECT guild_id, gen_random_uuid(), $1, 'x', 'x', now() - make_interval(secs => $2), now() + make_interval(secs => $3)
                      FROM guilds";
        let query = sqlx::query(mail).bind(kind).bind(f64::from(since)).bind(f64::from(lives));
        query.execute(world.db()).await.expect("it waits");
    }
    let gateway = world.login(Login::Gateway);
    let mut kinds = Vec::new();
    for _ in 0..3 {
        let mut across = gateway.across().await.expect("a connection");
        let taken = mails::take_due(&mut across, Duration::from_secs(60)).await.expect("it is read");
        let taken = taken.expect("one is due").id;
        let kind = "SELECT kind FROM mails WHERE mail_id = $1";
        let kind: String =
            sqlx::query_scalar(kind).bind(taken).fetch_one(world.db()).await.expect("it is there");
        kinds.push(kind);
    }
    assert_eq!(kinds, ["claim_code", "invitation", "invitation"]);
    gateway.close().await;
    world.close().await;
}
