//! The `bot` service: configuration from the environment, nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::process::main("bot", bot::config::Config::read, bot::run)
}
