//! Sockets on which a running sensor hears flow exports and syslog; bound before it gives up its rights, read on threads of their own.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use anyhow::Context;
use engine::Ingested;
use gwcore::{Addr, Ts};
use ingest::Collector;
use serde_json::{Value, json};

/// Where findings and records name a socket instead of a segment: index of a file that is none.
const FIRST: u32 = 1 << 31;
/// Datagrams that wait for the pipeline; more are lost and counted.
const WAITING: usize = 65_536;
/// Bytes that the kernel holds for a socket, as far as it allows.
const BUFFER: usize = 8 << 20;
/// Longest datagram.
const LONGEST: usize = 65_536;
/// Sources that are told of; further ones are summed up.
const TOLD: usize = 100;

struct Came {
    from: Addr,
    bytes: Vec<u8>,
    at: Ts,
    socket: u32,
}

/// The sockets of a run.
#[derive(Default)]
pub struct Sockets {
    bound: Vec<UdpSocket>,
    names: Arc<[Arc<str>]>,
    is_flow: Vec<bool>,
    from: Option<Receiver<Came>>,
    lost: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    messages: u64,
    collector: Collector,
}

impl Sockets {
    /// Binds all of them.
    pub fn bind(flows: &[SocketAddr], syslog: &[SocketAddr]) -> anyhow::Result<Sockets> {
        let mut sockets = Sockets::default();
        let mut names = Vec::new();
        let all = flows.iter().map(|a| (a, true)).chain(syslog.iter().map(|a| (a, false)));
        for (address, is_flow) in all {
            let socket = UdpSocket::bind(address).with_context(|| format!("cannot listen on {address}"))?;
            // The kernel gives less where it allows less; what is lost then is seen in the exporters' sequence numbers.
            let _ = rustix::net::sockopt::set_socket_recv_buffer_size(&socket, BUFFER);
            names.push(Arc::from(format!("udp {address}")));
            sockets.is_flow.push(is_flow);
            sockets.bound.push(socket);
        }
        sockets.names = names.into();
        Ok(sockets)
    }

    /// Begins to read; after the sensor gave up its rights, so that these threads have none.
    pub fn listen(&mut self) -> std::io::Result<()> {
        if self.bound.is_empty() {
            return Ok(());
        }
        let (to, from) = sync_channel(WAITING);
        for (n, socket) in self.bound.drain(..).enumerate() {
            let (to, lost, stop) = (to.clone(), Arc::clone(&self.lost), Arc::clone(&self.stop));
            let number = n as u32;
            std::thread::Builder::new()
                .name("datagrams".into())
                .spawn(move || read(&socket, number, &to, &lost, &stop))?;
        }
        self.from = Some(from);
        Ok(())
    }

    /// The next message, if one waits.
    pub fn next(&mut self) -> Option<Box<Ingested>> {
        let came = self.from.as_ref()?.try_recv().ok()?;
        self.messages += 1;
        let file = FIRST + came.socket;
        let is_flow = self.is_flow.get(came.socket as usize).copied().unwrap_or(false);
        Some(match is_flow {
            true => self.collector.flow_message(came.from, &came.bytes, came.at, file),
            false => self.collector.log_line(came.from, &came.bytes, came.at, file),
        })
    }

    /// How a socket is named by findings; none for files.
    pub fn name(names: &[Arc<str>], file: u32) -> Option<Arc<str>> {
        names.get(file.checked_sub(FIRST)? as usize).cloned()
    }

    /// All names, by number.
    pub fn names(&self) -> Arc<[Arc<str>]> {
        Arc::clone(&self.names)
    }

    /// What came and what became of it; none where nothing is listened to.
    pub fn told(&self) -> Option<Value> {
        if self.names.is_empty() {
            return None;
        }
        let mut fates = BTreeMap::<&str, u64>::new();
        let mut sources = serde_json::Map::new();
        let mut missing = 0;
        for (n, (name, report)) in self.collector.reports().iter().enumerate() {
            report.fates.0.iter().for_each(|(fate, n)| *fates.entry(fate).or_default() += n);
            let lost: u64 = report.counters.values().map(|c| c.lost).sum();
            missing += lost;
            if n < TOLD {
                let last = report.span.map(|s| s.1.to_string());
                let about = json!({ "messages": report.messages, "fates": report.fates.0, "lost_by_sequence": lost, "last": last });
                sources.insert(name.clone(), about);
            }
        }
        Some(json!({
            "messages": self.messages, "lost": self.lost.load(Ordering::Relaxed), "lost_by_sequence": missing, "fates": fates,
            "not_flow_exports": self.collector.faults(), "sources": sources,
        }))
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn read(socket: &UdpSocket, number: u32, to: &SyncSender<Came>, lost: &AtomicU64, stop: &AtomicBool) {
    let mut buffer = vec![0_u8; LONGEST];
    while !stop.load(Ordering::Relaxed) {
        let Ok((n, from)) = socket.recv_from(&mut buffer) else {
            // An answer "port unreachable" to somebody else's datagram, or an interface that is away: the socket stays.
            std::thread::sleep(std::time::Duration::from_millis(10));
            continue;
        };
        let bytes = buffer.get(..n).unwrap_or_default().to_vec();
        let came = Came { from: Addr::from(from.ip()), bytes, at: capture::live::now(), socket: number };
        match to.try_send(came) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                lost.fetch_add(1, Ordering::Relaxed);
            }
            Err(TrySendError::Disconnected(_)) => return,
        }
    }
}
