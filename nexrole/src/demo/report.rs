//! What the demo prints: for people on a terminal, or one JSON object per step.

use std::{io::IsTerminal, time::Duration};

use serde_json::json;

pub(super) struct Report {
    json: bool,
    terminal: bool,
    run: usize,
    failed: usize,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self { json, terminal: !json && std::io::stdout().is_terminal(), run: 0, failed: 0 }
    }

    /// A line for people.
    pub(super) fn say(&self, line: &str) {
        if !self.json {
            println!("{line}");
        }
    }

    pub(super) fn begin(&self) {
        self.say("");
    }

    /// The step that is running; replaced by its result.
    pub(super) fn announce(&self, title: &str) {
        if self.terminal {
            use std::io::Write;
            print!("  … {title}");
            // A terminal that cannot be flushed shows the line a moment later.
            let _flushed = std::io::stdout().flush();
        }
    }

    pub(super) fn step(&mut self, name: &str, title: &str, outcome: &anyhow::Result<String>, took: Duration) {
        self.run += 1;
        let ok = outcome.is_ok();
        let detail = outcome.as_ref().map_or_else(|error| format!("{error:#}"), Clone::clone);
        if !ok {
            self.failed += 1;
        }
        if self.json {
            let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            println!("{}", json!({ "step": name, "ok": ok, "detail": detail, "ms": ms }));
            return;
        }
        let (mark, colour) = if ok { ("✓", "32") } else { ("✗", "31") };
        let seconds = took.as_secs_f64();
        if self.terminal {
            println!("\r\x1b[2K  \x1b[{colour}m{mark}\x1b[0m {title}  \x1b[2m{seconds:.2} s\x1b[0m");
        } else {
            println!("  {mark} {title}  {seconds:.2} s");
        }
        for line in wrapped(&detail, 108) {
            println!("      {line}");
        }
    }

    pub(super) fn end(&self, logs: &str) {
        let (run, failed) = (self.run, self.failed);
        if failed == 0 {
            self.say(&format!("\nAll {run} steps held."));
        } else {
            self.say(&format!("\n{failed} of {run} steps did not hold. The services' logs: {logs}"));
        }
    }

    pub(super) fn failed(&self) -> usize {
        self.failed
    }
}

/// Lines of at most `width` characters, broken at spaces.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
