#!/usr/bin/env bash
# poise 0.7.1, serenity 0.12.5; seen 2026-11-27.
#
# poise lets a program run its own event loop: it makes `FrameworkOptions` and hands each event to `poise::dispatch_event`. One
# would think that commands are then as they are behind `Framework::builder()`. They are not: `qualified_name` of a subcommand,
# which logs and error handlers show, is its own name alone ("child"), until the program itself calls
# `poise::framework::set_qualified_names`, which the builder does unseen; then it is "parent child". Dispatch works without
# it, so nothing fails; two subcommands of the same name under different parents only look like one in the logs.
#
# Prints what is seen, and fails if that is different.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "seen"
version = "0.0.0"
edition = "2021"

[dependencies]
poise = { version = "=0.7.1", default-features = false }
serenity = { version = "=0.12.5", default-features = false, features = ["rustls_backend"] }
TOML
cat >src/main.rs <<'RUST'
type Error = Box<dyn std::error::Error + Send + Sync>;
type Context<'a> = poise::Context<'a, (), Error>;

/// A command
#[poise::command(slash_command, subcommands("child"))]
async fn parent(_: Context<'_>) -> Result<(), Error> {
    Ok(())
}

/// Its subcommand
#[poise::command(slash_command)]
async fn child(_: Context<'_>) -> Result<(), Error> {
    Ok(())
}

fn names(options: &poise::FrameworkOptions<(), Error>) -> String {
    let parent = &options.commands[0];
    let child = &parent.subcommands[0];
    let of = |command: &poise::Command<(), Error>| format!("{}={:?}", command.name, command.qualified_name);
    format!("{} {}", of(parent), of(child))
}

fn main() {
    let mut options = poise::FrameworkOptions { commands: vec![parent()], ..Default::default() };
    println!("options of one's own: {}", names(&options));
    poise::framework::set_qualified_names(&mut options.commands);
    println!("after the call:       {}", names(&options));
}
RUST
seen="$(CARGO_TARGET_DIR="$work/target" cargo run --quiet 2>build.log)" || { cat build.log >&2; exit 1; }
expected='options of one'\''s own: parent="parent" child="child"
after the call:       parent="parent" child="parent child"'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "that has changed" >&2; exit 1; }
