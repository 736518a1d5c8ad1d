//! What a process costs, as Linux tells it. In: its id. Out: memory and processor time.

use std::{fs, time::Duration};

use anyhow::Context;
use nexrole::children::Running;

/// In MiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// Resident, shared pages included.
    pub(crate) resident: f64,
    /// Without pages of files: with them, two copies of one program were seen to differ by a tenth.
    pub(crate) anonymous: f64,
    /// The most that ever was resident.
    pub(crate) peak: f64,
}

pub(crate) fn memory(service: &Running) -> anyhow::Result<Memory> {
    let pid = pid(service)?;
    let (status, rollup) =
        (read(&format!("/proc/{pid}/status"))?, read(&format!("/proc/{pid}/smaps_rollup"))?);
    Ok(Memory {
        resident: mebibytes(&status, "VmRSS:")?,
        anonymous: mebibytes(&rollup, "Pss_Anon:")?,
        peak: mebibytes(&status, "VmHWM:")?,
    })
}

/// Of all its threads that have not ended. Those that work are there from start to end.
pub(crate) fn processor_time(service: &Running) -> anyhow::Result<Duration> {
    let tasks = format!("/proc/{}/task", pid(service)?);
    let mut spent = Duration::ZERO;
    for task in fs::read_dir(&tasks).with_context(|| tasks.clone())? {
        // A thread may end between the listing and the reading.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        let nanoseconds = text.split(' ').next().and_then(|first| first.parse().ok());
        spent +=
            Duration::from_nanos(nanoseconds.with_context(|| format!("{tasks}: schedstat is '{text}'"))?);
    }
    Ok(spent)
}

fn pid(service: &Running) -> anyhow::Result<u32> {
    service.pid().context("the service has ended")
}

fn read(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(path)
        .with_context(|| format!("{path} cannot be read; memory is measured on Linux only"))
}

fn mebibytes(text: &str, name: &str) -> anyhow::Result<f64> {
    let kibibytes =
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse().ok());
    let kibibytes: f64 = kibibytes.with_context(|| format!("the kernel says no {name}"))?;
    Ok(kibibytes / 1024.0)
}
