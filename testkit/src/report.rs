//! What a test tells whoever runs it, past the test runner, which hides what passing tests print.

use std::io::Write as _;

pub fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{text}\n").as_bytes()).expect("stdout is open");
}

/// Whether we are root. If not, says so where the test's output is not captured.
pub fn is_root_or_skipped(test: &str) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        say(&format!("SKIPPED, because it has to become other users: {test}"));
    }
    is_root
}
