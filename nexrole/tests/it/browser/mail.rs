//! The pages to which a mail leads whoever is not logged in.

use sandbox::smtp::Mail;
use shared::{
    actions::invite_payers::invite_payers,
    crypto::Keyring,
    db::{authorized::Authorized, pg_roles::Login},
    ids::GuildId,
    views::mail_stop,
};

use super::{chromium::Chromium, journeys::label};
use crate::support::{tenants::ENCRYPTION_KEYS, world::World};

/// The link by which no more is wanted: the last of a mail. Long lines are sent in pieces (RFC 2045, 6.7).
fn stop(mail: &Mail) -> String {
    let text = mail.body().replace("=\n", "").replace("=3D", "=");
    text.lines().rfind(|line| line.contains("/stop/")).expect("a link").to_owned()
}

#[tokio::test]
async fn who_was_written_to_wants_no_more_by_the_link_in_the_mail() {
    let Some(browser) = Chromium::start().await else { return };
    let mut world = World::without_services().await;
    let mails = world.set_up_mail().await;
    let world = world.with_pages().await.with_bot().await;
    let customer = world.stripe.create_customer(Some("ana@example.test"), &[]).await.expect("it is made");
    world.stripe.subscribe(&customer, &world.price).await.expect("they pay");
    let paying = async || -> i64 {
        let query = "SELECT count(*) FROM subscriptions";
        sqlx::query_scalar(query).fetch_one(world.db()).await.expect("they are counted")
    };
    world.until("it is known that they pay", async || paying().await == 1).await;
    let (operator, keyring) = (world.login(Login::Operator), Keyring::parse(ENCRYPTION_KEYS).expect("a key"));
    let by =
        Authorized::operator(&operator, GuildId::from_u64(world.guild).expect("a server")).expect("theirs");
    invite_payers(&operator, &keyring, &by, false).await.expect("they are written to");
    world.until("the mail has come", async || !mails.mails().is_empty()).await;
    let stop = stop(&mails.mails()[0]);

    browser.open(&stop).await;
    browser.until_page(&mail_stop::question("")).await;
    browser.check("mail-stop").await;
    browser.click(&label("mail-stop-yes")).await;
    browser.until_page(&mail_stop::stopped()).await;
    browser.check("mail-stopped").await;
    browser.open(&format!("{stop}x")).await;
    browser.until_page(&mail_stop::unknown()).await;
    browser.check("mail-stop-unknown").await;
    browser.quit().await;
    operator.close().await;
    world.finish().await;
}
