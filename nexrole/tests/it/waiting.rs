//! Stories about jobs that wait: for how long, at what cost to others, and that they do not pile up.

use sandbox::discord::Fault;

use crate::world::World;

async fn run(world: &World, query: &'static str) {
    sqlx::query(query).execute(world.db()).await.expect("the query is good");
}

#[tokio::test]
async fn after_an_outage_of_discord_nobody_waits_for_hours() {
    let world = World::start().await;
    let ana = world.fan().await;
    world.discord.fault(Fault::status(502).on("PUT", "/roles/").times(6)).await.unwrap();
    world.subscribes(&ana).await;
    for failures in 1..=6 {
        // The waits between are over.
        run(&world, "UPDATE role_jobs SET due_at = now() WHERE state = 'pending' AND due_at > now()").await;
        let attempts = "SELECT coalesce(max(attempts), 0)::bigint FROM role_jobs";
        let failed = async || world.number(attempts).await == failures;
        world.until("the call has failed once more", failed).await;
    }
    let soon =
        "SELECT count(*) FROM role_jobs WHERE state = 'pending' AND due_at <= now() + interval '26 minutes'";
    assert_eq!(world.number(soon).await, 1);
    // Discord is back, as somebody else's payment shows: nobody waits for the rest of their wait.
    let ben = world.fan().await;
    world.subscribes(&ben).await;
    world.until("Ben has VIP", async || world.has(&ben, world.vip).await).await;
    let next = "SELECT count(*) FROM role_jobs WHERE attempts = 6 AND due_at <= now() + interval '1 minute'";
    world.until("Ana is next", async || world.number(next).await == 1).await;
    run(&world, "UPDATE role_jobs SET due_at = now() WHERE state = 'pending'").await;
    world.until_vip(&ana).await;
    world.finish().await;
}

#[tokio::test]
async fn an_invitation_outlives_a_database_that_refuses_it() {
    let world = World::start().await;
    let ana = world.fan().await;
    world.discord.kick_bot(world.guild).await.unwrap();
    world.subscribes(&ana).await;
    let closed = "SELECT count(*) FROM guild_gates WHERE owner IS NULL AND away";
    world.until("the guild is left alone", async || world.number(closed).await == 1).await;
    // As a crowded pool does, or a failover: twice.
    for statement in [
        "CREATE SEQUENCE refusals",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF nextval('refusals') <= 2 THEN RAISE EXCEPTION 'not now'; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER refuse BEFORE UPDATE ON guild_gates FOR EACH ROW
         WHEN (OLD.away AND NOT NEW.away) EXECUTE FUNCTION refuse()",
    ] {
        run(&world, statement).await;
    }
    world.discord.invite_bot(world.guild).await.unwrap();
    world.until_vip(&ana).await;
    world.finish().await;
}
