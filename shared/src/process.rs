//! A service's `main`: configuration in, exit code out. 0: stopped as asked; 1: failed; 78: its configuration is wrong.

use std::{fmt::Display, process::ExitCode};

use tokio_util::sync::CancellationToken;

use crate::{
    config::{EXIT_CONFIG, Env, Problems},
    shutdown, telemetry,
};

/// Reads the environment, and runs until SIGTERM or Ctrl-C. What goes wrong is said on stderr, after the service's name.
pub fn main<C, E: Display>(
    name: &str,
    read: fn(&Env) -> Result<C, Problems>,
    run: impl AsyncFnOnce(C, CancellationToken) -> Result<(), E>,
) -> ExitCode {
    let env = Env::from_process();
    telemetry::init(&env);
    let config = match read(&env) {
        Ok(config) => config,
        Err(problems) => {
            eprintln!("{name}: {problems}");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{name}: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(async {
        let stop = CancellationToken::new();
        shutdown::on_signal(stop.clone());
        run(config, stop).await
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
