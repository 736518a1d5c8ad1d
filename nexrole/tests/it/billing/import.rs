//! Members who had a role before us: a list from a file, all of it or nothing.

use std::{fmt::Write as _, time::Duration};

use shared::domain::audit::AuditAction;
use tokio::time::Instant;

use crate::support::world::{Member, World};

impl World {
    async fn import(&self, list: String, more: &[&str]) -> Result<String, String> {
        let role = self.vip.to_string();
        self.of_guild_reading(&[&["import", "--role", &role][..], more].concat(), list).await
    }

    async fn veteran(&self) -> Member {
        let member = self.member().await;
        self.discord.give_role(self.guild, member.user, self.vip).await.expect("Discord gives it");
        member
    }
}

#[tokio::test]
async fn who_had_a_role_before_has_a_reason_for_it_until_the_sunset() {
    let mut world = World::without_services().await;
    let (ana, ben) = (world.veteran().await, world.veteran().await);
    world.map("price", &world.price, world.vip).await;
    world.start_gateway().await;
    world.start_bot().await;
    world.until_every_mapped_role_is_seen().await;
    let list = format!("# founders\n{}  # Ana\n\n{}\r\n", ana.user, ben.user);
    let said = world.import(list.clone(), &["--sunset", "2199-01-31"]).await.unwrap();
    assert!(said.contains("2 new, 0 with another end than before, 0 as they were"), "{said}");
    assert!(said.contains("until 2199-02-01 00:00:00 UTC") && said.contains("only observed"), "{said}");
    let again = world.import(list.clone(), &["--sunset", "2199-01-31"]).await.unwrap();
    assert!(again.contains("0 new, 0 with another end than before, 2 as they were"), "{again}");
    let longer = world.import(list, &[]).await.unwrap();
    assert!(longer.contains("0 new, 2 with another end") && longer.contains("without an end"), "{longer}");
    assert_eq!(world.audit(AuditAction::AccessBegan).await, 2);
    assert_eq!(world.audit(AuditAction::AccessChanged).await, 2);
    let why = world.why(&ana).await;
    assert!(why.contains("may have it or not: the role is only observed"), "{why}");
    assert!(why.contains("a reason to have it: had it before Nexrole"), "{why}");

    let role = world.vip.to_string();
    world.of_guild(&["map", "enforce", "--role", &role]).await.unwrap();
    world.settle().await;
    assert!(world.role_calls().await.is_empty(), "they have it");
    // By leaving it is lost; whoever comes back has it from us.
    world.discord.leave(world.guild, ben.user).await.unwrap();
    world.settle().await;
    world.discord.rejoin(world.guild, ben.user).await.unwrap();
    world.until_vip(&ben).await;
    let ends = format!("{}\n{}", ana.user, ben.user);
    world.import(ends, &["--sunset", "2199-01-31"]).await.unwrap();
    world.given_for_days(80_000).await;
    world.until_no_vip(&ben).await;
    assert!(world.has(&ana, world.vip).await, "nobody takes what we did not give");
    assert_eq!(world.sources_live().await, 0);
    world.finish().await;
}

#[tokio::test]
async fn one_bad_line_and_nothing_is_written_and_all_of_them_are_named() {
    let world = World::start().await;
    let refused = world.import("1\n<@2>\n3\nnobody\n0".to_owned(), &[]).await.unwrap_err();
    assert!(refused.contains("3 line(s) are no Discord id; nothing was changed"), "{refused}");
    for line in ["line 2: <@2>", "line 4: nobody", "line 5: 0"] {
        assert!(refused.contains(line), "{refused}");
    }
    for (list, more, said) in [
        ("# nobody", &[][..], "nobody is on the list"),
        ("7", &["--sunset", "2020-01-31"], "that day has passed"),
        ("7", &["--sunset", "2020"], "as in 2026-12-31"),
    ] {
        let refused = world.import(list.to_owned(), more).await.unwrap_err();
        assert!(refused.contains(said), "{refused}");
    }
    let other = world.discord.create_role(world.guild, "Other").await.unwrap().to_string();
    let guild = world.guild.to_string();
    for (role, said) in [(other, "first map what it is sold by"), (guild, "@everyone")] {
        let refused = world.of_guild_reading(&["import", "--role", &role], "7".to_owned()).await.unwrap_err();
        assert!(refused.contains(said), "{refused}");
    }
    assert_eq!((world.sources().await, world.pending().await), (0, 0));
    world.finish().await;
}

#[tokio::test]
async fn ten_thousand_lines_are_one_transaction_of_seconds() {
    let world = World::without_services().await;
    world.map("price", &world.price, world.vip).await;
    let mut list = String::new();
    for n in 1..=10_000 {
        writeln!(list, "{}", 1_575_960_090_878_410_752_u64 + n).unwrap();
    }
    let began = Instant::now();
    let said = world.import(list.clone(), &["--sunset", "2199-01-31"]).await.unwrap();
    let took = began.elapsed();
    println!("10,000 members were imported in {took:?}");
    assert!(said.contains("10000 new"), "{said}");
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert_eq!((world.sources_live().await, world.pending().await), (10_000, 10_000));
    assert_eq!(world.audit(AuditAction::AccessBegan).await, 10_000);
    let again = world.import(list, &["--sunset", "2199-01-31"]).await.unwrap();
    assert!(again.contains("0 new, 0 with another end than before, 10000 as they were"), "{again}");
    world.close().await;
}
