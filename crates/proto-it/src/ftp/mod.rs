//! FTP control connections (RFC 959, RFC 2228, RFC 2389, RFC 2428, RFC 4217): every command with its replies, log-ins with their outcome, and
//! where the data goes. Passwords are not kept; the data connections are flows of their own. After `AUTH` was accepted the stream is another
//! protocol's.
//!
//! Limits: a line is at most 8,192 bytes; `Limit::Pending` commands wait for their replies.

mod parse;
mod record;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use gwcore::{Addr, Body, Limit, Span};
use proto::{Carrier, Cx, Dir, Hint, Mark, Parser, Probe, Step};

use crate::passwords;
use crate::text::{fact_text, keep};
pub use record::{FtpColumns, FtpRow};

const NAME: &str = "ftp";
const PORT: u16 = 21;
/// Users without a password of their own (RFC 1635).
const ANONYMOUS: &[&[u8]] = &[b"anonymous", b"ftp"];

/// A command that waits for its reply.
struct Asked {
    mark: Mark,
    command: Vec<u8>,
    arg: Option<Box<[u8]>>,
    preliminary: Option<(u16, u64)>,
    file_size: Option<u64>,
    has_default_password: bool,
}

/// A reply of which the last line has come.
struct Reply<'a> {
    code: u16,
    text: &'a [u8],
    lines: u32,
    /// Frame of its first line.
    frame: u64,
}

/// A reply that has begun.
#[derive(Clone, Copy)]
struct Open {
    code: u16,
    lines: u32,
    /// Frame of its first line.
    frame: u64,
    /// The client went on, so that its last line may never come.
    is_passed_over: bool,
}

/// The parser of one flow.
#[derive(Default)]
pub struct Ftp {
    client: Option<Dir>,
    waiting: VecDeque<Asked>,
    user: Option<Box<[u8]>>,
    /// A reply whose last line is still to come.
    open: Option<Open>,
    /// The stream is another protocol's from here on.
    changed: bool,
    greeted: bool,
    /// Bytes are missing: what answers what is not known until a reply comes that only one command has.
    is_shifted: bool,
}

impl Parser for Ftp {
    const NAME: &'static str = NAME;
    const CARRIERS: &'static [Carrier] = &[Carrier::Stream];

    fn probe(head: &[u8], hint: &Hint) -> Probe {
        let on_port = hint.port(PORT);
        let Some((line, _)) = parse::line(head) else {
            let may_go_on = head.len() < 80 && head.iter().all(|b| *b >= 0x20 || *b == b'\r');
            return if may_go_on { Probe::Unsure } else { Probe::No };
        };
        match (parse::command_of(line), parse::reply(line)) {
            (Some(true), _) => Probe::Certain,
            (Some(false), _) if on_port => Probe::Certain,
            (Some(false), _) => parse::shared(head),
            (None, Some((120 | 220 | 421, ..))) if on_port => Probe::Certain,
            // Mail servers greet the same way.
            (None, Some((120 | 220, _, text))) => {
                if names_ftp(text) {
                    Probe::Maybe
                } else {
                    Probe::Unsure
                }
            }
            (None, Some(_)) if on_port => Probe::Maybe,
            _ => Probe::No,
        }
    }

    fn feed(&mut self, dir: Dir, data: &[u8], cx: &mut Cx<'_>) -> Step {
        let mut at = 0;
        loop {
            if self.changed {
                return Step::Changed { consumed: at };
            }
            let rest = data.get(at..).unwrap_or_default();
            if rest.is_empty() {
                return Step::Done;
            }
            let Some((line, taken)) = parse::line(rest) else {
                if rest.len() <= parse::LINE {
                    return Step::Need { consumed: at, more: rest.len() + 1 };
                }
                cx.anomaly(NAME, "line_too_long", rest.get(..64).unwrap_or_default());
                return Step::Lost;
            };
            at += taken;
            if self.is_client(dir, line, cx) { self.command(line, cx) } else { self.reply(line, cx) }
        }
    }

    fn gap(&mut self, _dir: Dir, _missing: u64, cx: &mut Cx<'_>) -> Step {
        self.open = None;
        self.is_shifted = true;
        self.flush(cx);
        Step::Lost
    }

    fn resync(&self, _dir: Dir, data: &[u8], _hint: &Hint) -> Option<usize> {
        data.iter().position(|b| *b == b'\n').map(|at| at + 1)
    }

    fn close(&mut self, cx: &mut Cx<'_>) {
        self.flush(cx);
    }
}

impl Ftp {
    /// Whether the sender asks; found out from the first line, since captures start in the middle.
    fn is_client(&mut self, dir: Dir, line: &[u8], cx: &mut Cx<'_>) -> bool {
        if self.client.is_none() {
            let replies = parse::reply(line).is_some() && parse::command(line).is_none();
            self.client = Some(if replies { dir.flip() } else { dir });
            if self.client == Some(Dir::Resp) {
                cx.server_is_originator();
            }
        }
        self.client == Some(dir)
    }

    fn command(&mut self, line: &[u8], cx: &mut Cx<'_>) {
        let Some((command, arg)) = parse::command(line) else {
            if !line.is_empty() {
                cx.anomaly(NAME, "bad_command", line.get(..64).unwrap_or(line));
            }
            return;
        };
        if let Some(open) = &mut self.open {
            open.is_passed_over = true;
        }
        let is_secret = matches!(&command[..], b"PASS" | b"ACCT");
        let user = self.user.as_deref().unwrap_or_default();
        let has_default_password = command == b"PASS" && passwords::is_default(user, arg.unwrap_or_default());
        if command == b"USER" {
            self.user = arg.map(keep);
        }
        let limit = cx.limits.get(Limit::Pending).max(1);
        while self.waiting.len() >= limit {
            cx.hit(Limit::Pending);
            self.give_up(cx);
        }
        self.waiting.push_back(Asked {
            mark: cx.mark(),
            command,
            arg: arg.filter(|_| !is_secret).map(keep),
            preliminary: None,
            file_size: None,
            has_default_password,
        });
    }

    fn reply(&mut self, line: &[u8], cx: &mut Cx<'_>) {
        let (code, more, text) = match (self.open, parse::reply(line)) {
            // Between the first and the last line anything may stand (RFC 959 §4.2).
            (Some(open), Some((code, false, text))) if code == open.code || open.is_passed_over => (code, false, text),
            (Some(open), _) => (open.code, true, line),
            (None, Some(reply)) => reply,
            (None, None) => {
                if !line.is_empty() {
                    cx.anomaly(NAME, "reply_without_code", line.get(..64).unwrap_or(line));
                }
                return;
            }
        };
        let before = self.open.take();
        let lines = before.map_or(0, |o| o.lines).saturating_add(1);
        let frame = before.map_or(cx.at.frame, |o| o.frame);
        if more {
            self.open = Some(Open { code, lines, frame, is_passed_over: before.is_some_and(|o| o.is_passed_over) });
            return;
        }
        let reply = Reply { code, text, lines, frame };
        // What a client says may be read before the greeting that it waited for.
        let is_greeting = matches!(code, 120 | 220) && !self.greeted;
        self.told(&reply, cx);
        let front = self.waiting.front().map(|a| &a.command[..]).unwrap_or_default();
        self.is_shifted &= !parse::fits(front, code);
        if is_greeting || self.is_shifted {
            return self.answered(None, &reply, cx);
        }
        match self.waiting.front_mut() {
            Some(asked) if code < 200 => {
                asked.preliminary = Some((code, cx.at.frame));
                asked.file_size = parse::size_told(text);
            }
            _ => {
                let asked = self.waiting.pop_front();
                self.answered(asked, &reply, cx);
            }
        }
    }

    /// What a reply tells of its server.
    fn told(&mut self, reply: &Reply<'_>, cx: &mut Cx<'_>) {
        let field = match reply.code {
            220 if !std::mem::replace(&mut self.greeted, true) => "software",
            215 => "system",
            _ => return,
        };
        let value = fact_text(reply.text.trim_ascii());
        if !value.is_empty() {
            cx.fact(Body::Identity { field, value, source: NAME });
        }
    }

    fn answered(&mut self, asked: Option<Asked>, reply: &Reply<'_>, cx: &mut Cx<'_>) {
        let Some(asked) = asked else {
            let mark = cx.mark();
            return write(mark, None, Some((mark, reply)), self.user.as_deref(), None, cx);
        };
        self.log_in(&asked, reply.code, cx);
        let data = self.data(&asked, reply, cx);
        self.changed = asked.command == b"AUTH" && matches!(reply.code, 234 | 334);
        write(asked.mark, Some(&asked), Some((cx.mark(), reply)), self.user.as_deref(), data, cx);
    }

    /// Outcome of a log-in: `USER` is enough where no password is asked for.
    fn log_in(&self, asked: &Asked, code: u16, cx: &mut Cx<'_>) {
        let Some(user) = &self.user else { return };
        let accepted = match (&asked.command[..], code) {
            (b"USER" | b"PASS", 230 | 232 | 202) => Some(true),
            (b"USER" | b"PASS", 400..) => Some(false),
            (b"PASS", _) => None,
            _ => return,
        };
        let is_anonymous = ANONYMOUS.iter().any(|a| a.eq_ignore_ascii_case(user));
        let cleartext = asked.command == b"PASS" && !is_anonymous;
        cx.fact_at(asked.mark, Body::Login { proto: NAME, user: fact_text(user), cleartext, accepted });
        if asked.has_default_password && accepted == Some(true) {
            cx.fact_at(asked.mark, Body::Stated { proto: NAME, field: "default_password", value: fact_text(user) });
        }
    }

    /// Who waits for the data connection: whether it is the server, address, port.
    fn data(&self, asked: &Asked, reply: &Reply<'_>, cx: &mut Cx<'_>) -> Option<(bool, Addr, u16)> {
        let arg = asked.arg.as_deref().unwrap_or_default();
        let client_is_orig = self.client != Some(Dir::Resp);
        let (client, server) = if client_is_orig { (cx.flow.src, cx.flow.dst) } else { (cx.flow.dst, cx.flow.src) };
        let (passive, addr, port) = match (&asked.command[..], reply.code) {
            (b"PASV", 227) => parse::six_numbers(reply.text).map(|(a, p)| (true, a, p)),
            (b"EPSV", 229) => parse::extended(reply.text).map(|(a, p)| (true, a.unwrap_or(server), p)),
            (b"PORT", 200) => parse::six_numbers(arg).map(|(a, p)| (false, a, p)),
            (b"EPRT", 200) => parse::extended(arg).map(|(a, p)| (false, a.unwrap_or(client), p)),
            _ => return None,
        }?;
        // A client that has data sent to somebody else uses the server against him (RFC 2577 §3).
        if !passive && addr != client {
            cx.anomaly(NAME, "data_to_third_party", addr.to_string().as_bytes());
        }
        Some((passive, addr, port))
    }

    /// Writes the oldest command without a reply.
    fn give_up(&mut self, cx: &mut Cx<'_>) {
        let Some(asked) = self.waiting.pop_front() else { return };
        if asked.command == b"PASS" {
            self.log_in(&asked, 0, cx);
        }
        write(asked.mark, Some(&asked), None, self.user.as_deref(), None, cx);
    }

    fn flush(&mut self, cx: &mut Cx<'_>) {
        while !self.waiting.is_empty() {
            self.give_up(cx);
        }
    }
}

fn write(
    mark: Mark,
    asked: Option<&Asked>,
    reply: Option<(Mark, &Reply<'_>)>,
    user: Option<&[u8]>,
    data: Option<(bool, Addr, u16)>,
    cx: &mut Cx<'_>,
) {
    let response_time = asked.zip(reply.as_ref()).map(|(a, r)| Span(r.0.ts.since(a.mark.ts)));
    let of_size = |a: &Asked| reply.as_ref().filter(|(_, r)| a.command == b"SIZE" && r.code == 213);
    let stated = asked.and_then(of_size).and_then(|(_, r)| std::str::from_utf8(r.text.trim_ascii()).ok()?.parse().ok());
    cx.emit_at(
        mark,
        FtpRow {
            request_frame: asked.map(|a| a.mark.frame),
            reply_frame: reply.as_ref().map(|(_, r)| r.frame),
            reply_end_frame: reply.as_ref().map(|(m, _)| m.frame),
            user,
            command: asked.map(|a| &a.command[..]),
            arg: asked.and_then(|a| a.arg.as_deref()),
            preliminary_code: asked.and_then(|a| a.preliminary).map(|p| p.0),
            preliminary_frame: asked.and_then(|a| a.preliminary).map(|p| p.1),
            reply_code: reply.as_ref().map(|(_, r)| r.code),
            reply_msg: reply.as_ref().map(|(_, r)| r.text).filter(|t| !t.is_empty()),
            reply_lines: reply.as_ref().map_or(0, |(_, r)| r.lines),
            response_time,
            file_size: asked.and_then(|a| a.file_size).or(stated),
            data_passive: data.map(|d| d.0),
            data_host: data.map(|d| d.1),
            data_port: data.map(|d| d.2),
        },
    );
}

fn names_ftp(text: &[u8]) -> bool {
    text.windows(3).any(|w| w.eq_ignore_ascii_case(b"ftp"))
}
