//! Stories about Discord's Gateway: connections that end in odd ways, and a bot that goes on.

use std::time::{Duration, Instant};

use crate::world::{Fan, World};

/// Short, so that serenity notices within seconds what it would otherwise notice within 41.
const HEARTBEAT_MS: u64 = 1_000;
/// serenity waits 5 s before it identifies again.
const PATIENCE: Duration = Duration::from_secs(30);

struct Story {
    world: World,
    ana: Fan,
    admin: u64,
}

impl Story {
    async fn begin() -> Self {
        let mut world = World::without_services().await;
        world.discord.set_heartbeat(HEARTBEAT_MS).await.expect("Discord answers");
        world.map("price", &world.price.clone(), world.vip).await;
        world.start_gateway().await;
        world.start_bot().await;
        let admin = world.discord.join(world.guild, "admin").await.expect("Discord answers");
        let ana = world.fan().await;
        world.subscribes(&ana).await;
        world.until_vip(&ana).await;
        let story = Self { world, ana, admin };
        story.answers("before").await;
        story
    }

    /// A command works: perhaps not the first one, which may fall into the gap.
    async fn answers(&self, after: &str) {
        let began = Instant::now();
        loop {
            match self.world.discord.interact(self.world.guild, self.admin, "status").await {
                Ok(answer) => {
                    assert!(answer.text().contains("Nexrole in this server"), "{}", answer.text());
                    return;
                }
                Err(error) => {
                    assert!(began.elapsed() < PATIENCE, "no command works after {after}: {error:#}");
                }
            }
        }
    }

    /// Whoever leaves and comes back in the gap has the role again, and commands work.
    async fn goes_on(&self, after: &str) {
        let began = Instant::now();
        self.world.discord.leave(self.world.guild, self.ana.user).await.expect("Discord answers");
        self.world.discord.rejoin(self.world.guild, self.ana.user).await.expect("Discord answers");
        self.world.until_vip(&self.ana).await;
        self.answers(after).await;
        println!("{after}: mended after {} ms", began.elapsed().as_millis());
    }

    async fn sessions(&self) -> (u64, u64) {
        let gateway = self.world.discord.state().await.expect("Discord answers")["gateway"].take();
        (gateway["identified"].as_u64().expect("a number"), gateway["resumed"].as_u64().expect("a number"))
    }
}

#[tokio::test]
async fn a_bot_that_resumes_has_missed_nothing() {
    let story = Story::begin().await;
    let discord = &story.world.discord;
    assert_eq!(story.sessions().await, (1, 0));
    discord.drop_gateway().await.unwrap();
    story.goes_on("a dropped connection").await;
    discord.reconnect_gateway().await.unwrap();
    story.goes_on("opcode 7").await;
    discord.invalidate_gateway(true).await.unwrap();
    story.goes_on("opcode 9, resumable").await;
    for code in [4000, 1001, 1000, 4008] {
        discord.close_gateway(code).await.unwrap();
        story.goes_on(&format!("close code {code}")).await;
    }
    let (identified, resumed) = story.sessions().await;
    assert_eq!((identified, resumed), (1, 7), "one session through it all");
    story.world.finish().await;
}

#[tokio::test]
async fn a_bot_whose_session_is_gone_looks_at_everything_again() {
    let story = Story::begin().await;
    let discord = &story.world.discord;
    discord.invalidate_gateway(false).await.unwrap();
    story.goes_on("opcode 9").await;
    discord.forget_gateway().await.unwrap();
    story.goes_on("a dropped connection, forgotten").await;
    for code in [4007, 4009] {
        discord.close_gateway(code).await.unwrap();
        story.goes_on(&format!("close code {code}")).await;
    }
    let (identified, resumed) = story.sessions().await;
    assert_eq!((identified, resumed), (5, 0));
    story.world.finish().await;
}

#[tokio::test]
async fn a_silent_gateway_and_an_unexpected_close_are_noticed_by_the_next_heartbeat() {
    let story = Story::begin().await;
    let discord = &story.world.discord;
    discord.deafen_gateway().await.unwrap();
    story.goes_on("a deaf gateway").await;
    discord.close_gateway(4003).await.unwrap();
    story.goes_on("close code 4003").await;
    story.world.finish().await;
}

#[tokio::test]
async fn without_the_members_intent_the_bot_works_and_hears_no_joins() {
    let mut world = World::without_services().await;
    world.discord.allow_members_intent(false).await.unwrap();
    world.map("price", &world.price.clone(), world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    let ana = world.fan().await;
    world.subscribes(&ana).await;
    world.until_vip(&ana).await;
    let answer = world.discord.interact(world.guild, ana.user, "status").await.unwrap();
    assert!(answer.text().contains("Nexrole in this server"), "{}", answer.text());
    world.finish().await;
}
