//! The service with a wrong environment: all problems in one message, exit code 78, no value shown.

use std::process::Command;

#[test]
fn missing_wrong_and_contradictory_variables_are_said_at_once() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bot"));
    command.env_clear().envs([
        ("DISCORD_TOKEN", "hunter2 with a space"),
        ("GUILD_ID", "my server"),
        ("PORT", "8081"),
        ("BIND", "127.0.0.1:8081"),
        ("WORKER_CONCURRENCY", "1000"),
        ("LEASE_SECONDS", "1"),
    ]);
    let output = command.output().expect("it starts");
    let message = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(78), "{message}");
    for variable in
        ["DATABASE_URL", "DISCORD_TOKEN", "GUILD_ID", "BIND", "WORKER_CONCURRENCY", "LEASE_SECONDS"]
    {
        assert!(message.contains(&format!("  {variable}: ")), "{variable} is missing in\n{message}");
    }
    assert!(message.contains("has 6 problems") && !message.contains("hunter2"), "{message}");
}
