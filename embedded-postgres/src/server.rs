//! The server's process.
//!
//! In: its command. Out: its pid, its exit, and a way to signal it that can never hit another process.

use std::path::Path;
use std::process::{Child, ExitStatus};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use crate::error::{StartError, io_at};
use crate::launcher::Launch;

/// A spawned server. A thread of its own waits for it.
#[derive(Debug)]
pub(crate) struct Server {
    pid: Pid,
    number: u32,
    ending: Arc<Ending>,
    waiter: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Ending {
    status: Mutex<Option<ExitStatus>>,
    changed: Condvar,
}

impl Server {
    /// The kernel's death signal fires when the spawning *thread* ends, so that thread stays until the server
    /// has ended. A pool's thread would end when it is idle, and take the server with it.
    pub(crate) fn spawn(mut launch: Launch, launcher: &Path) -> Result<Self, StartError> {
        let ending = Arc::new(Ending::default());
        let (report, spawned) = mpsc::sync_channel(1);
        let waiter = std::thread::Builder::new().name("postgres-owner".to_owned()).spawn({
            let ending = Arc::clone(&ending);
            move || {
                let child = launch.command.spawn();
                // Closes our copies of the log, which the server alone shall hold.
                drop(launch);
                match child {
                    Ok(child) => {
                        let identity = (Pid::from_child(&child), child.id());
                        // Nobody to report to means nobody to own the server, but it still has to be collected.
                        drop(report.send(Ok(identity)));
                        ending.collect(child);
                    }
                    Err(error) => drop(report.send(Err(error))),
                }
            }
        });
        let waiter = waiter.map_err(io_at("start a thread for", launcher))?;
        let gone = |_| std::io::Error::other("the thread that starts it ended early");
        let (pid, number) = spawned
            .recv()
            .map_err(gone)
            .and_then(std::convert::identity)
            .map_err(|source| StartError::Launcher { launcher: launcher.to_owned(), source })?;
        Ok(Self { pid, number, ending, waiter: Some(waiter) })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.number
    }

    pub(crate) fn exit_status(&self) -> Option<ExitStatus> {
        *self.ending.lock()
    }

    /// Does nothing once the server has been collected: its number may belong to another process by then.
    pub(crate) fn signal(&self, signal: Signal) {
        let status = self.ending.lock();
        if status.is_none()
            && let Err(error) = rustix::process::kill_process(self.pid, signal)
        {
            tracing::warn!(%error, postgres.pid = self.number, "could not signal the embedded Postgres");
        }
    }

    pub(crate) fn wait(&self) -> ExitStatus {
        let mut status = self.ending.lock();
        loop {
            match *status {
                Some(status) => return status,
                None => status = self.ending.changed.wait(status).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    pub(crate) fn wait_for(&self, patience: Duration) -> Option<ExitStatus> {
        let status = self.ending.lock();
        let (status, _) = self
            .ending
            .changed
            .wait_timeout_while(status, patience, |status| status.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        *status
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that ignored every signal keeps its thread; joining would hang.
        if self.exit_status().is_some()
            && let Some(waiter) = self.waiter.take()
            && waiter.join().is_err()
        {
            tracing::error!("the thread of the embedded Postgres panicked");
        }
    }
}

impl Ending {
    fn lock(&self) -> MutexGuard<'_, Option<ExitStatus>> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits without collecting first: the pid stays ours until the lock is held, under which nobody signals.
    fn collect(&self, mut child: Child) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let waited = loop {
            match rustix::process::waitid(WaitId::Pid(Pid::from_child(&child)), options) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other,
            }
        };
        let mut status = self.lock();
        match child.wait() {
            Ok(ended) => *status = Some(ended),
            Err(error) => tracing::error!(%error, ?waited, "could not collect the embedded Postgres"),
        }
        drop(status);
        self.changed.notify_all();
    }
}
