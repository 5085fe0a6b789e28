//! Syslog over UDP, TCP and TLS with octet counting (`specs/syslog.md`); a peer that went away is noticed before the next message.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use gwcore::{Severity, Ts};
use rustls::{ClientConnection, StreamOwned};

use crate::config::{self, Settings, Transport};
use crate::dest::{Destination, finding, text};
use crate::event::{Kind, Sender};
use crate::format::syslog::{AUDIT, Header, LOCAL0, framed, message};
use crate::queue::Item;
use crate::tls::Tls;
use crate::{Fault, FaultKind, Verdict};

/// Bytes after which a batch is written out.
const WRITE: usize = 256 << 10;

enum Link {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// Sends to one receiver.
pub struct Syslog {
    config: config::Syslog,
    tls: Tls,
    timeout: Duration,
    sender: Sender,
    link: Option<Link>,
    udp: Option<UdpSocket>,
}

impl Syslog {
    /// Connects with the first message.
    pub fn new(c: &config::Syslog, settings: &Settings, sender: &Sender) -> Result<Syslog, String> {
        if !(480..=1 << 20).contains(&c.octets) {
            return Err("`octets` lies between 480 and 1048576".to_owned());
        }
        Ok(Syslog {
            config: c.clone(),
            tls: settings.tls.clone(),
            timeout: settings.timeout,
            sender: sender.clone(),
            link: None,
            udp: None,
        })
    }

    fn message(&self, item: &Item) -> Result<Vec<u8>, String> {
        let body = text(item, self.config.format, &self.sender)?;
        let octets = match self.config.transport {
            // Beyond a datagram that every path carries, receivers cut without a word.
            Transport::Udp => self.config.octets.min(1_400),
            _ => self.config.octets,
        };
        let (facility, msgid) = if item.kind == Kind::Audit { (AUDIT, "AUDIT") } else { (LOCAL0, "ALERT") };
        let (severity, ts, rev) = match item.kind {
            Kind::Finding | Kind::Test => {
                let f = finding(item)?;
                (f.severity, f.ts, f.rev.to_string())
            }
            _ => (Severity::Info, Ts(0), String::new()),
        };
        let mut data = vec![("id", item.id.as_str()), ("key", item.key.as_str())];
        if !rev.is_empty() {
            data.push(("rev", &rev));
        }
        let header = Header { facility, severity, ts, host: &self.sender.host, msgid, data: &data };
        Ok(message(&header, &body, octets))
    }

    fn connect(&mut self) -> Result<(), Fault> {
        if self.link.is_some() {
            return Ok(());
        }
        let stream = connect(&self.config.address, self.timeout)?;
        let host = self.config.address.rsplit_once(':').map_or(self.config.address.as_str(), |(h, _)| h);
        self.link = Some(match self.config.transport {
            Transport::Tls => {
                let mut stream = self.tls.wrap(host, stream).map_err(|e| Fault::new(FaultKind::Config, e))?;
                // The handshake now, so that a wrong certificate is told as such.
                stream.conn.complete_io(&mut stream.sock).map_err(|e| unavailable(&e))?;
                Link::Tls(Box::new(stream))
            }
            _ => Link::Tcp(stream),
        });
        Ok(())
    }

    /// Whether the peer closed: a receiver of syslog says nothing, so the end of its stream is all that can be read.
    fn is_gone(&mut self) -> bool {
        let mut byte = [0; 1];
        let read = match &mut self.link {
            None => return false,
            Some(Link::Tcp(s)) => {
                if s.set_nonblocking(true).is_err() {
                    return true;
                }
                let read = s.read(&mut byte);
                if s.set_nonblocking(false).is_err() {
                    return true;
                }
                read
            }
            Some(Link::Tls(s)) => {
                if s.sock.set_nonblocking(true).is_err() {
                    return true;
                }
                let read = s.read(&mut byte);
                if s.sock.set_nonblocking(false).is_err() {
                    return true;
                }
                read
            }
        };
        !matches!(&read, Err(e) if e.kind() == ErrorKind::WouldBlock) && !matches!(read, Ok(n) if n > 0)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let result = match &mut self.link {
            None => Err(ErrorKind::NotConnected.into()),
            Some(Link::Tcp(s)) => s.write_all(bytes),
            Some(Link::Tls(s)) => s.write_all(bytes).and_then(|()| s.flush()),
        };
        result.map_err(|e| {
            self.link = None;
            unavailable(&e)
        })
    }

    fn datagrams(&mut self, items: &[&Item]) -> Vec<Verdict> {
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            let message = match self.message(item) {
                Ok(message) => message,
                Err(reason) => {
                    out.push(Verdict::Dead(reason));
                    continue;
                }
            };
            out.push(match self.datagram(&message) {
                Ok(()) => Verdict::Done,
                Err(e) => {
                    self.udp = None;
                    Verdict::Again(unavailable(&e))
                }
            });
        }
        out
    }

    fn datagram(&mut self, message: &[u8]) -> std::io::Result<()> {
        if self.udp.is_none() {
            let to = self.config.address.to_socket_addrs()?.next().ok_or(ErrorKind::AddrNotAvailable)?;
            let socket = UdpSocket::bind(if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
            socket.connect(to)?;
            self.udp = Some(socket);
        }
        match &self.udp {
            Some(socket) => socket.send(message).map(|_| ()),
            None => Err(ErrorKind::NotConnected.into()),
        }
    }
}

impl Destination for Syslog {
    fn batch(&self) -> usize {
        1_000
    }

    fn send(&mut self, items: &[&Item]) -> Vec<Verdict> {
        if self.config.transport == Transport::Udp {
            return self.datagrams(items);
        }
        if self.is_gone() {
            self.link = None;
        }
        if let Err(fault) = self.connect() {
            return vec![Verdict::Again(fault); items.len()];
        }
        let (mut out, mut bytes, mut failed): (Vec<Option<Verdict>>, Vec<u8>, Option<Fault>) =
            (Vec::with_capacity(items.len()), Vec::with_capacity(WRITE + 16_384), None);
        for item in items {
            match self.message(item) {
                Ok(message) => {
                    framed(&message, &mut bytes);
                    out.push(None);
                }
                Err(reason) => out.push(Some(Verdict::Dead(reason))),
            }
            if bytes.len() >= WRITE {
                if let Err(fault) = self.write(&bytes) {
                    failed = Some(fault);
                    break;
                }
                bytes.clear();
            }
        }
        if failed.is_none() {
            failed = self.write(&bytes).err();
        }
        // Plain syslog acknowledges nothing: a close right after the last write means that its end may be lost.
        if failed.is_none() && self.is_gone() {
            self.link = None;
            failed = Some(Fault::new(FaultKind::Unavailable, "the receiver closed the connection"));
        }
        out.resize(items.len(), None);
        // What of a stream that broke arrived nobody can tell: all of the batch again.
        out.into_iter()
            .map(|v| match (v, &failed) {
                (Some(dead), _) => dead,
                (None, Some(fault)) => Verdict::Again(fault.clone()),
                (None, None) => Verdict::Done,
            })
            .collect()
    }

    fn probe(&mut self) -> Result<String, Fault> {
        if self.config.transport == Transport::Udp {
            return Ok(format!("datagrams to {}: nobody answers there, so nothing can be asked", self.config.address));
        }
        if self.is_gone() {
            self.link = None;
        }
        self.connect()?;
        Ok(format!("connected to {}", self.config.address))
    }
}

/// A connection with the time limit on connecting, reading and writing.
pub(super) fn connect(address: &str, timeout: Duration) -> Result<TcpStream, Fault> {
    let to = address.to_socket_addrs().map_err(|e| unavailable(&e))?;
    let mut last = Fault::new(FaultKind::Config, format!("`{address}` has no address"));
    for to in to {
        match TcpStream::connect_timeout(&to, timeout) {
            Ok(stream) => {
                let set = stream.set_read_timeout(Some(timeout)).and_then(|()| stream.set_write_timeout(Some(timeout)));
                set.map_err(|e| unavailable(&e))?;
                return Ok(stream);
            }
            Err(e) => last = unavailable(&e),
        }
    }
    Err(last)
}

/// An input or output error as a fault.
pub(super) fn unavailable(e: &std::io::Error) -> Fault {
    Fault::new(FaultKind::Unavailable, e.to_string())
}
