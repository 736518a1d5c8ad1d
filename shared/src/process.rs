//! A service's `main`: configuration in, exit code out. 0: stopped as asked; 1: failed; 78: its configuration is wrong.

use std::{
    any::Any,
    fmt::Display,
    panic::{self, PanicHookInfo},
    process::ExitCode,
};

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
    report_panics_without_data();
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

/// From here on a panic is an ERROR line with its place. Its message is in it only if the code spells it out: a message that was
/// put together at run time, as `unwrap` of an error is, may hold a secret or somebody's data.
pub fn report_panics_without_data() {
    panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        tracing::error!(place, thread, "panicked: {}", safe_message(panic.payload()));
    }));
}

fn safe_message(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("(the message may hold data and is not shown)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(panicking: impl FnOnce() + panic::UnwindSafe) -> &'static str {
        safe_message(&*panic::catch_unwind(panicking).unwrap_err())
    }

    #[test]
    fn a_panic_shows_what_the_code_spells_out_and_nothing_that_it_holds() {
        assert_eq!(message(|| panic!("the queue is empty")), "the queue is empty");
        let secret = String::from("hunter2");
        for held in [
            message(move || panic!("cannot open {secret}")),
            message(|| panic!("{:?}", Some("hunter2"))),
            message(|| panic::panic_any(String::from("hunter2"))),
            message(|| panic::panic_any(7)),
        ] {
            assert_eq!(held, "(the message may hold data and is not shown)");
        }
    }
}
