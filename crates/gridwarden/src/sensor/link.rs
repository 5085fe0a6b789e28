//! The sensor's one socket: messages out as a JSON object a line, commands in. Its end of the pair is the process's standard input.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// Messages that wait for a centre that does not read.
const WAITING: usize = 8_192;
/// Messages kept beside them: findings are never given up before this many wait.
const KEPT: usize = 262_144;

/// What the centre asked for since somebody looked.
#[derive(Default)]
pub struct Asked {
    stop: AtomicBool,
    commands: Mutex<Vec<Value>>,
}

impl Asked {
    /// Whether the run is to end.
    pub fn stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Commands other than `stop`, oldest first.
    pub fn commands(&self) -> Vec<Value> {
        self.commands.lock().map(|mut c| std::mem::take(&mut *c)).unwrap_or_default()
    }

    /// Ends the run.
    pub fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The sending side.
pub struct Link {
    to: Option<SyncSender<String>>,
    writer: Option<std::thread::JoinHandle<()>>,
    kept: std::collections::VecDeque<String>,
    lost: u64,
}

impl Link {
    /// Takes the socket that standard input is. Two threads serve it; they are made here, so that they are confined with the rest.
    pub fn open() -> anyhow::Result<(Link, Arc<Asked>)> {
        let stream = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
        stream.local_addr().map_err(|_| anyhow::anyhow!("`gridwarden sensor` is started by `gridwarden run`"))?;
        let reading = stream.try_clone()?;
        let asked = Arc::new(Asked::default());
        let (to, from) = sync_channel(WAITING);
        let writer = std::thread::Builder::new().name("messages".into()).spawn(move || send(&from, stream))?;
        let theirs = Arc::clone(&asked);
        std::thread::Builder::new().name("commands".into()).spawn(move || listen(reading, &theirs))?;
        Ok((Link { to: Some(to), writer: Some(writer), kept: std::collections::VecDeque::new(), lost: 0 }, asked))
    }

    /// Sends a message; never waits. When the centre does not read, messages other than findings are given up first.
    pub fn tell(&mut self, message: &Value) {
        let is_finding = message.get("type").is_some_and(|t| t == "finding");
        self.push();
        if !self.kept.is_empty() && !is_finding || self.kept.len() >= KEPT {
            self.lost += 1;
            return;
        }
        self.kept.push_back(message.to_string() + "\n");
        self.push();
    }

    /// Messages given up.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Hands on what waits, as far as there is room.
    pub fn push(&mut self) {
        let Some(to) = &self.to else { return };
        while let Some(line) = self.kept.pop_front() {
            match to.try_send(line) {
                Ok(()) => {}
                Err(TrySendError::Full(line)) => return self.kept.push_front(line),
                // The centre is gone; the run ends by its end of the socket.
                Err(TrySendError::Disconnected(_)) => {}
            }
        }
    }

    /// Sends what waits and closes.
    pub fn close(mut self) {
        if let Some(to) = self.to.take() {
            for line in self.kept.drain(..) {
                if to.send(line).is_err() {
                    break;
                }
            }
        }
        if let Some(writer) = self.writer.take() {
            // It ends by itself: nothing sends any more.
            let _ = writer.join();
        }
    }
}

fn send(from: &Receiver<String>, mut to: UnixStream) {
    while let Ok(line) = from.recv() {
        if to.write_all(line.as_bytes()).is_err() {
            return;
        }
    }
}

/// Reads commands until the centre closes its end, which ends the run.
fn listen(from: UnixStream, asked: &Asked) {
    for line in BufReader::new(from).lines().map_while(Result::ok) {
        let Ok(command) = serde_json::from_str::<Value>(&line) else { continue };
        if command.get("type").is_some_and(|t| t == "stop") {
            asked.end();
        } else if let Ok(mut commands) = asked.commands.lock() {
            commands.push(command);
        }
    }
    asked.end();
}
