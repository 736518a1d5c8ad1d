//! Processes that a test may stop or kill, and questions about them. In: process ids. Out: signals, and states as Linux tells
//! them.

use std::{
    fs,
    process::Child,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal};

/// Far above what is ever needed, for busy hosts.
const SOON: Duration = Duration::from_secs(60);

/// A process that is none of our servers, ended with the test.
pub struct Bystander(pub Child);

impl Drop for Bystander {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A process that stands still until this is dropped.
pub struct Stopped(u32);

impl Stopped {
    pub fn stop(number: u32) -> Self {
        signal(number, Signal::STOP);
        // On a busy machine some of its threads would otherwise get to do something more.
        until("all its threads stand still", || {
            let threads = fs::read_dir(format!("/proc/{number}/task")).unwrap().flatten();
            threads.map(|thread| thread.file_name()).all(|thread| {
                let number = thread.to_str().and_then(|thread| thread.parse().ok()).unwrap();
                matches!(state(number), None | Some('T' | 'Z'))
            })
        });
        Self(number)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // It may have been killed meanwhile.
        rustix::process::kill_process(pid(self.0), Signal::CONT).unwrap_or(());
    }
}

pub fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !condition() {
        if Instant::now() > deadline {
            // A second panic would end the test program before the other tests have tidied up.
            assert!(std::thread::panicking(), "never: {what}");
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// That somebody waits shows only in what does not happen meanwhile. A start that does not wait is through, or
/// has failed, well within this time.
pub fn stays(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_millis(700);
    while Instant::now() < deadline {
        assert!(condition(), "no longer: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn pid(number: u32) -> Pid {
    Pid::from_raw(number.try_into().unwrap()).unwrap()
}

pub fn signal(number: u32, signal: Signal) {
    rustix::process::kill_process(pid(number), signal).unwrap();
}

pub fn is_gone(number: u32) -> bool {
    state(number).is_none()
}

/// Ended, though process 1 may not have collected it.
pub fn has_ended(number: u32) -> bool {
    matches!(state(number), None | Some('Z'))
}

/// The process' state letter; `None` when there is no such process.
pub fn state(number: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}
