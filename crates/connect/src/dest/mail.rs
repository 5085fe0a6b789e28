//! Mail over SMTP (RFC 5321) with STARTTLS (RFC 3207) or TLS, and AUTH PLAIN (RFC 4954): one message per event, `Message-ID` from our id.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use respond::Finding;

use crate::config::{self, MailTls, Settings};
use crate::dest::syslog::{connect, unavailable};
use crate::dest::{Destination, case, finding};
use crate::event::{Kind, Sender};
use crate::queue::Item;
use crate::tls::Tls;
use crate::{Fault, FaultKind, Verdict};

/// Bytes of one line of an answer.
const LINE: u64 = 4_096;
/// Lines of one answer.
const LINES: usize = 100;

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

type Talk = BufReader<Box<dyn Stream>>;

/// Sends through one server.
pub struct Mail {
    config: config::Mail,
    password: Option<String>,
    tls: Tls,
    timeout: Duration,
    sender: Sender,
}

impl Mail {
    /// Reads the password.
    pub fn new(c: &config::Mail, settings: &Settings, sender: &Sender) -> Result<Mail, String> {
        let is_address = |a: &String| a.contains('@') && a.chars().all(|c| c.is_ascii_graphic() && !"<>,;".contains(c));
        if let Some(bad) = std::iter::once(&c.from).chain(&c.to).find(|a| !is_address(a)) {
            return Err(format!("`{bad}` is no mail address"));
        }
        if c.to.is_empty() {
            return Err("`to` is empty".to_owned());
        }
        if c.password.is_some() && c.protection == MailTls::None {
            return Err("a password goes over TLS only: set `protection`".to_owned());
        }
        Ok(Mail {
            config: c.clone(),
            password: c.password.as_ref().map(|p| p.read()).transpose()?,
            tls: settings.tls.clone(),
            timeout: settings.timeout,
            sender: sender.clone(),
        })
    }

    fn open(&self) -> Result<Talk, Fault> {
        let host = self.config.address.rsplit_once(':').map_or(self.config.address.as_str(), |(h, _)| h);
        let socket = connect(&self.config.address, self.timeout)?;
        let wrap = |socket: TcpStream| -> Result<Box<dyn Stream>, Fault> {
            Ok(Box::new(self.tls.wrap(host, socket).map_err(|e| Fault::new(FaultKind::Config, e))?))
        };
        let mut talk: Talk = match self.config.protection {
            MailTls::Tls => BufReader::new(wrap(socket)?),
            MailTls::None => BufReader::new(Box::new(socket)),
            MailTls::Starttls => {
                let again = socket.try_clone().map_err(|e| unavailable(&e))?;
                let mut plain: Talk = BufReader::new(Box::new(socket));
                expect(&mut plain, 220)?;
                say(&mut plain, &format!("EHLO {}", self.host()), 250)?;
                say(&mut plain, "STARTTLS", 220).map_err(|f| Fault { kind: FaultKind::Config, ..f })?;
                if !plain.buffer().is_empty() {
                    return Err(Fault::new(FaultKind::Malformed, "the server said more before TLS than it should"));
                }
                let mut inside: Talk = BufReader::new(wrap(again)?);
                say(&mut inside, &format!("EHLO {}", self.host()), 250)?;
                self.log_in(&mut inside)?;
                return Ok(inside);
            }
        };
        expect(&mut talk, 220)?;
        say(&mut talk, &format!("EHLO {}", self.host()), 250)?;
        self.log_in(&mut talk)?;
        Ok(talk)
    }

    fn host(&self) -> String {
        self.sender.host.chars().filter(|c| c.is_ascii_alphanumeric() || ".-".contains(*c)).collect()
    }

    fn log_in(&self, talk: &mut Talk) -> Result<(), Fault> {
        let (Some(user), Some(password)) = (&self.config.user, &self.password) else { return Ok(()) };
        let word = crate::base64::encode(format!("\0{user}\0{password}").as_bytes());
        say(talk, &format!("AUTH PLAIN {word}"), 235).map(|_| ()).map_err(|f| match f.kind {
            FaultKind::Refused => Fault { kind: FaultKind::Unauthorized, ..f },
            _ => f,
        })
    }

    fn one(&self, talk: &mut Talk, item: &Item) -> Verdict {
        let (subject, body) = match self.written(item) {
            Ok(written) => written,
            Err(reason) => return Verdict::Dead(reason),
        };
        let result = (|| {
            say(talk, &format!("MAIL FROM:<{}>", self.config.from), 250)?;
            for to in &self.config.to {
                say(talk, &format!("RCPT TO:<{to}>"), 250)?;
            }
            say(talk, "DATA", 354)?;
            let message = self.message(item, &subject, &body);
            talk.get_mut().write_all(message.as_bytes()).map_err(|e| unavailable(&e))?;
            expect(talk, 250)
        })();
        match result {
            Ok(_) => Verdict::Done,
            Err(fault) if fault.kind == FaultKind::Refused => {
                // The server waits for a new message; whether this works shows with the next one.
                let _ = say(talk, "RSET", 250);
                Verdict::Dead(fault.text)
            }
            Err(fault) => Verdict::Again(fault),
        }
    }

    fn written(&self, item: &Item) -> Result<(String, String), String> {
        if matches!(item.kind, Kind::Finding | Kind::Test) {
            let f: Finding = finding(item)?;
            let mut body = format!(
                "{}\n\n{}\n\nFrom: {}\nTo: {}\nProtocol: {}\n",
                f.title,
                f.why,
                f.src.shown(),
                f.dst.shown(),
                f.proto
            );
            body += &format!(
                "First: {}\nLast: {}\nSeen: {}\nTechniques: {}\n",
                f.ts,
                f.ts_end,
                f.count,
                f.attack.join(", ")
            );
            if let Some(link) = self.sender.link(&f.id) {
                body += &format!("\n{link}\n");
            }
            return Ok((format!("[Gridwarden] {}: {}", f.severity.name(), f.title), body));
        }
        if item.kind == Kind::Case {
            let c = case(item)?;
            let mut body = format!(
                "{}\n\nState: {}\nOwner: {}\n",
                c.title,
                c.state.name(),
                c.owner.as_deref().unwrap_or("nobody")
            );
            for m in c.findings.iter().take(50) {
                body += &format!("- {} {}: {}\n", m.ts, m.title, m.why);
            }
            if let Some(last) = c.timeline.iter().rev().find(|e| e.kind == "note") {
                body += &format!("\nLast note: {}\n", last.text);
            }
            if let Some(link) = self.sender.link(&c.id) {
                body += &format!("\n{link}\n");
            }
            return Ok((format!("[Gridwarden] {} case: {}", c.severity.name(), c.title), body));
        }
        Ok((format!("[Gridwarden] {} {}", item.kind.name(), item.key), item.body.get().to_owned()))
    }

    fn message(&self, item: &Item, subject: &str, body: &str) -> String {
        let id: String = item.id.chars().filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c)).collect();
        let mut out = format!("From: Gridwarden <{}>\r\nTo: {}\r\n", self.config.from, self.config.to.join(", "));
        out += &format!("Subject: {}\r\nMessage-ID: <{id}@{}>\r\n", encoded_words(subject), self.host());
        out += "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n";
        out += "Auto-Submitted: auto-generated\r\n\r\n";
        // Base64 has no line that begins with a dot, and none that is too long.
        for line in crate::base64::encode(body.as_bytes()).as_bytes().chunks(76) {
            out.push_str(std::str::from_utf8(line).unwrap_or(""));
            out += "\r\n";
        }
        out + ".\r\n"
    }
}

/// A subject as encoded words (RFC 2047 §2), each at most 75 characters.
fn encoded_words(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let (mut words, mut part) = (Vec::new(), String::new());
    for c in clean.chars() {
        if part.len() + c.len_utf8() > 45 {
            words.push(std::mem::take(&mut part));
        }
        part.push(c);
    }
    words.push(part);
    words
        .iter()
        .map(|w| format!("=?utf-8?B?{}?=", crate::base64::encode(w.as_bytes())))
        .collect::<Vec<_>>()
        .join("\r\n ")
}

fn say(talk: &mut Talk, line: &str, wanted: u16) -> Result<String, Fault> {
    talk.get_mut().write_all(format!("{line}\r\n").as_bytes()).map_err(|e| unavailable(&e))?;
    talk.get_mut().flush().map_err(|e| unavailable(&e))?;
    expect(talk, wanted)
}

fn expect(talk: &mut Talk, wanted: u16) -> Result<String, Fault> {
    let mut all = String::new();
    for _ in 0..LINES {
        let mut line = Vec::new();
        let read = Read::take(&mut *talk, LINE).read_until(b'\n', &mut line).map_err(|e| unavailable(&e))?;
        if read == 0 {
            return Err(Fault::new(FaultKind::Unavailable, "the server closed the connection"));
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        all.push_str(&line);
        all.push(' ');
        if line.as_bytes().get(3) == Some(&b'-') {
            continue;
        }
        let code: u16 = line.get(..3).and_then(|c| c.parse().ok()).unwrap_or(0);
        if code == wanted || (wanted == 250 && code == 251) {
            return Ok(all);
        }
        let kind = match code {
            // 421 closes, 4xx is for now; 530, 535, 538: log in first, or differently.
            400..=499 => FaultKind::Unavailable,
            530 | 534 | 535 | 538 => FaultKind::Unauthorized,
            500..=599 => FaultKind::Refused,
            _ => FaultKind::Malformed,
        };
        return Err(Fault::new(kind, all.trim().to_owned()));
    }
    Err(Fault::new(FaultKind::Malformed, "an answer without an end"))
}

impl Destination for Mail {
    fn batch(&self) -> usize {
        20
    }

    fn send(&mut self, items: &[&Item]) -> Vec<Verdict> {
        let mut talk = match self.open() {
            Ok(talk) => talk,
            Err(mut fault) => {
                if fault.kind == FaultKind::Refused {
                    fault.kind = FaultKind::Config;
                }
                return vec![Verdict::Again(fault); items.len()];
            }
        };
        let mut out: Vec<Verdict> = Vec::with_capacity(items.len());
        for item in items {
            match out.last() {
                Some(Verdict::Again(_)) => {
                    out.push(Verdict::Again(Fault::new(FaultKind::NotReached, "something before it failed")))
                }
                _ => out.push(self.one(&mut talk, item)),
            }
        }
        // A goodbye that is not heard changes nothing.
        let _ = say(&mut talk, "QUIT", 221);
        out
    }

    fn probe(&mut self) -> Result<String, Fault> {
        let mut talk = self.open()?;
        let _ = say(&mut talk, "QUIT", 221);
        Ok(format!("{} accepts us", self.config.address))
    }
}
