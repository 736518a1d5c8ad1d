//! What is written for nobody: a reader that has gone, as `head -1` has after its line.

use std::{io, process::Stdio};

use crate::support::world::World;

#[tokio::test]
async fn a_command_whose_reader_has_gone_ends_without_a_word() {
    let world = World::without_services().await;
    world.map("price", &world.price, world.vip).await;
    let guild = world.guild.to_string();
    let ours = ["--guild", &guild];
    for (command, codes) in [
        (&["map", "list"][..], [141, 141]),
        (&["why", "--member", "7"], [141, 141]),
        (&["activity"], [141, 141]),
        (&["catalogue"], [141, 141]),
        (&["export"], [141, 141]),
        (&["export", "--format", "csv"], [141, 141]),
        (&["connections"], [141, 141]),
        (&["keys", "generate"], [141, 141]),
        // These say with their code what they found.
        (&["invariants"], [0, 1]),
        (&["--help"], [0, 141]),
    ] {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        let takes_guild = !matches!(command[0], "connections" | "keys" | "invariants" | "--help");
        let mut nexrole = tokio::process::Command::new(env!("CARGO_BIN_EXE_nexrole"));
        nexrole.args(command).args(takes_guild.then_some(ours).into_iter().flatten());
        nexrole.env("DATABASE_URL", world.database_url()).current_dir(std::env::temp_dir());
        nexrole.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
        // Not `output()`: it takes stdout for itself.
        let output = nexrole.spawn().expect("it starts").wait_with_output().await.expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said, "", "{command:?}");
        let code = output.status.code();
        assert!(codes.map(Some).contains(&code), "{command:?}: {code:?}");
    }
    world.close().await;
}
