//! Syslog: RFC 3164 and RFC 5424, with CEF, LEEF and `key=value` within; what a few makers say of log-ins, links and settings.

use std::net::IpAddr;

use gwcore::time::{HOUR, SECOND, civil, days_from_civil, parse_rfc3339};
use gwcore::{Addr, Body, FlowConst, Span, Ts};

use engine::Ingested;

use crate::clean::Fate;
use crate::rows::LogLine;

/// Longest line read, in bytes; RFC 5425 asks for 8,192.
const LONGEST: usize = 65_536;
/// Fields of a line that are kept.
const FIELDS: usize = 64;
/// A time further from that of receipt is the sender's clock at fault.
const SKEW: i64 = 5 * 60 * SECOND;

/// A line taken apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// rfc3164, rfc5424, cef, leef or text.
    pub format: &'static str,
    /// Facility and severity.
    pub priority: Option<(u8, u8)>,
    /// Time it names; without a year that of the receipt, without a zone UTC.
    pub ts: Option<Ts>,
    /// Host it names.
    pub host: Option<String>,
    /// Program.
    pub app: Option<String>,
    /// Process.
    pub process: Option<String>,
    /// Kind of message.
    pub message_id: Option<String>,
    /// Message.
    pub message: String,
    /// Fields of CEF, LEEF, structured data, or `key=value`.
    pub fields: Vec<(String, String)>,
}

/// Takes a line apart; none where it is no text.
pub fn parse(line: &[u8], received: Ts) -> Option<Line> {
    let line = line.get(..LONGEST).unwrap_or(line);
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches(['\0', '\r', '\n']);
    if text.is_empty() || text.bytes().filter(|b| *b == 0).count() > text.len() / 4 {
        return None;
    }
    let (priority, rest) = match text.strip_prefix('<').and_then(|t| t.split_once('>')) {
        Some((n, rest)) if n.len() <= 3 => match n.parse::<u16>() {
            Ok(n) if n <= 191 => (Some(((n / 8) as u8, (n % 8) as u8)), rest),
            _ => (None, text),
        },
        _ => (None, text),
    };
    let mut out = match rest.strip_prefix("1 ") {
        Some(new) if priority.is_some() => rfc5424(new).unwrap_or_else(|| rfc3164(rest, received)),
        _ => rfc3164(rest, received),
    };
    out.priority = priority;
    if priority.is_none() && out.ts.is_none() {
        out.format = "text";
    }
    let message = out.message.clone();
    if let Some(at) = message.find("CEF:") {
        cef(message.get(at..).unwrap_or_default(), &mut out);
    } else if let Some(at) = message.find("LEEF:") {
        leef(message.get(at..).unwrap_or_default(), &mut out);
    } else if out.fields.is_empty() && message.matches('=').count() >= 2 {
        out.fields = pairs(&message, ' ');
    }
    out.fields.truncate(FIELDS);
    Some(out)
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty() && text != "-").then(|| text.chars().take(255).collect())
}

fn rfc5424(text: &str) -> Option<Line> {
    let mut parts = text.splitn(6, ' ');
    let (time, host, app, process, id) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let rest = parts.next().unwrap_or("-");
    let (fields, message) = structured(rest)?;
    Some(Line {
        format: "rfc5424",
        ts: if time == "-" { None } else { Some(parse_rfc3339(time)?) },
        host: some(host),
        app: some(app),
        process: some(process),
        message_id: some(id),
        message: message.trim_start_matches('\u{feff}').to_owned(),
        fields,
        priority: None,
    })
}

/// `[id a="b" c="d"][…] message` or `- message` (RFC 5424 §6.3).
fn structured(text: &str) -> Option<(Vec<(String, String)>, &str)> {
    if let Some(rest) = text.strip_prefix('-') {
        return Some((Vec::new(), rest.strip_prefix(' ').unwrap_or(rest)));
    }
    let mut fields = Vec::new();
    let mut rest = text;
    while let Some(inner) = rest.strip_prefix('[') {
        let (mut quoted, mut escaped, mut end) = (false, false, None);
        for (i, c) in inner.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => quoted = !quoted,
                ']' if !quoted => {
                    end = Some(i);
                    break;
                }
                _ => {}
            }
        }
        let element = inner.get(..end?)?;
        for (key, value) in quoted_pairs(element) {
            if fields.len() < FIELDS {
                fields.push((key, value));
            }
        }
        rest = inner.get(end? + 1..)?;
    }
    Some((fields, rest.strip_prefix(' ').unwrap_or(rest)))
}

fn quoted_pairs(element: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut rest = element;
    while let Some((before, after)) = rest.split_once("=\"") {
        let key = before.rsplit(' ').next().unwrap_or_default().to_owned();
        let mut value = String::new();
        let mut end = after.len();
        let mut chars = after.char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    end = i + 1;
                    break;
                }
                '\\' => value.extend(chars.next().map(|(_, c)| c)),
                c => value.push(c),
            }
        }
        out.push((key, value));
        rest = after.get(end..).unwrap_or_default();
        if out.len() >= FIELDS {
            break;
        }
    }
    out
}

fn rfc3164(text: &str, received: Ts) -> Line {
    let (ts, rest) = time3164(text, received);
    let mut line = Line { format: "rfc3164", ts, message: rest.to_owned(), ..Line::default() };
    if ts.is_none() {
        return line;
    }
    let Some((host, rest)) = rest.trim_start().split_once(' ') else { return line };
    line.host = some(host);
    line.message = rest.to_owned();
    // `TAG[PID]: message`, the tag alphanumeric and of at most 32 characters; some makers write more.
    if let Some((tag, message)) = rest.split_once(": ")
        && tag.len() <= 64
        && !tag.contains(' ')
    {
        let (app, process) = match tag.strip_suffix(']').and_then(|t| t.split_once('[')) {
            Some((app, process)) => (app, process),
            None => (tag, ""),
        };
        (line.app, line.process) = (some(app), some(process));
        line.message = message.to_owned();
    }
    line
}

/// `Oct 11 22:14:15`, the same with a year or a fraction (Cisco), or RFC 3339.
fn time3164(text: &str, received: Ts) -> (Option<Ts>, &str) {
    if let Some((first, rest)) = text.split_once(' ')
        && let Some(ts) = parse_rfc3339(first)
    {
        return (Some(ts), rest);
    }
    let start = text.trim_start_matches(['*', '.', ' ']);
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let read = || {
        let month = MONTHS.iter().position(|m| start.starts_with(m))? as i64 + 1;
        let rest = start.get(3..)?.trim_start();
        let (day, rest) = rest.split_once(' ')?;
        let day: i64 = day.parse().ok().filter(|d| (1..=31).contains(d))?;
        let (year, rest) = match rest.get(..4).and_then(|y| y.parse::<i64>().ok()) {
            Some(year) if rest.as_bytes().get(4) == Some(&b' ') => (Some(year), rest.get(5..)?),
            _ => (None, rest),
        };
        let clock = rest.get(..8)?;
        let part = |at: usize| clock.get(at..at + 2)?.parse::<i64>().ok();
        let (h, m, s) = (part(0)?, part(3)?, part(6)?);
        if clock.as_bytes().get(2) != Some(&b':') || h > 23 || m > 59 || s > 60 {
            return None;
        }
        let mut rest = rest.get(8..)?;
        if let Some(fraction) = rest.strip_prefix('.') {
            rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        }
        let (now, ..) = civil(received.0.div_euclid(24 * HOUR));
        let at = |year: i64| Ts::from_parts(days_from_civil(year, month, day) * 86_400 + h * 3_600 + m * 60 + s, 0);
        // Without a year it is the one that lies nearest to the receipt.
        let years = [now - 1, now, now + 1].map(at);
        let nearest = years.into_iter().min_by_key(|t| t.since(received).unsigned_abs())?;
        Some((year.map_or(nearest, at), rest.trim_start_matches(':').trim_start()))
    };
    match read() {
        Some((ts, rest)) => (Some(ts), rest),
        None => (None, text),
    }
}

/// `CEF:0|vendor|product|version|id|name|severity|key=value …`; `\|`, `\=` and `\\` are escapes.
fn cef(text: &str, line: &mut Line) {
    let parts = split(text.get(4..).unwrap_or_default(), '|', 8);
    let [_, vendor, product, _, id, name, severity, extension] = &parts[..] else { return };
    line.format = "cef";
    line.fields = vec![
        ("vendor".into(), vendor.clone()),
        ("product".into(), product.clone()),
        ("name".into(), name.clone()),
        ("cef_severity".into(), severity.clone()),
    ];
    line.message_id = some(id);
    line.fields.extend(pairs(extension, ' '));
}

/// `LEEF:1.0|vendor|product|version|id|key=value⇥…`; version 2 names its separator.
fn leef(text: &str, line: &mut Line) {
    let rest = text.get(5..).unwrap_or_default();
    let parts = split(rest, '|', if rest.starts_with('2') { 7 } else { 6 });
    let (vendor, product, id, separator, body) = match &parts[..] {
        [_, vendor, product, _, id, body] => (vendor, product, id, '\t', body),
        [_, vendor, product, _, id, sep, body] => {
            let sep = sep
                .strip_prefix("0x")
                .or(sep.strip_prefix('x'))
                .map_or_else(|| sep.chars().next(), |hex| u32::from_str_radix(hex, 16).ok().and_then(char::from_u32));
            (vendor, product, id, sep.unwrap_or('\t'), body)
        }
        _ => return,
    };
    line.format = "leef";
    line.fields = vec![("vendor".into(), vendor.clone()), ("product".into(), product.clone())];
    line.message_id = some(id);
    line.fields.extend(pairs(body, separator));
}

fn split(text: &str, by: char, most: usize) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let is_last = out.len() >= most;
        match (c, out.last_mut()) {
            ('\\', Some(part)) if !is_last && chars.peek().is_some_and(|n| *n == by || *n == '\\') => {
                part.extend(chars.next())
            }
            (c, _) if c == by && !is_last => out.push(String::new()),
            (c, Some(part)) => part.push(c),
            _ => {}
        }
    }
    out
}

/// `key=value` pairs. With a space between them a value goes on until the next ` key=`; quotes hold it together.
fn pairs(text: &str, separator: char) -> Vec<(String, String)> {
    if separator != ' ' {
        let each = text.split(separator).filter_map(|p| p.split_once('='));
        return each.take(FIELDS).map(|(k, v)| (k.trim().to_owned(), v.to_owned())).collect();
    }
    let mut out: Vec<(String, String)> = Vec::new();
    let is_key =
        |k: &str| !k.is_empty() && k.len() <= 64 && k.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    let mut quoted = false;
    for word in text.split(' ') {
        let at = word.char_indices().find(|(i, c)| *c == '=' && !word.get(..*i).unwrap_or_default().ends_with('\\'));
        let key = at.map(|(i, _)| word.get(..i).unwrap_or_default()).filter(|k| !quoted && is_key(k));
        let value = match key {
            Some(key) if out.len() < FIELDS => {
                let value = word.get(key.len() + 1..).unwrap_or_default();
                out.push((key.to_owned(), value.to_owned()));
                value
            }
            Some(_) => break,
            None => {
                if let Some((_, v)) = out.last_mut() {
                    v.push(' ');
                    v.push_str(word);
                }
                word
            }
        };
        if value.bytes().filter(|b| *b == b'"').count() % 2 == 1 {
            quoted = !quoted;
        }
    }
    for (_, v) in &mut out {
        *v = v.trim().trim_matches('"').replace("\\=", "=").replace("\\\\", "\\");
    }
    out
}

/// What a line tells of: the event, the user, the address it came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// `login`, `login_failed`, `logout`, `setting_change`, `link_up`, `link_down`, `restart`.
    pub event: Option<&'static str>,
    /// User.
    pub user: Option<String>,
    /// Address.
    pub address: Option<Addr>,
}

/// What the message of a sshd, a Cisco or Juniper switch, a FortiGate, a Palo Alto, or a relay's gateway tells, by the words they use.
pub fn tell(line: &Line) -> Told {
    let m = line.message.to_ascii_lowercase();
    let field = |names: &[&str]| {
        let found = line.fields.iter().find(|(k, _)| names.contains(&k.as_str()));
        found.map(|(_, v)| v.clone()).filter(|v| !v.is_empty())
    };
    let has = |words: &[&str]| words.iter().any(|w| m.contains(w));
    let action = field(&["action", "act", "outcome", "status"]).unwrap_or_default().to_lowercase();
    let event = if has(&["%link-3-updown", "%lineproto-5-updown", "snmp_trap_link", "link state"])
        || has(&["interface"]) && has(&["changed state"])
    {
        if has(&["to down", "link down", "linkdown", " is down", "snmp_trap_link_down"]) {
            Some("link_down")
        } else {
            Some("link_up")
        }
    } else if has(&[
        "failed password",
        "authentication failure",
        "login failed",
        "invalid user",
        "failed login",
        "access denied",
        "login_failed",
        "logon failure",
        "failed to log",
    ]) || has(&["login"]) && matches!(action.as_str(), "failed" | "failure" | "deny" | "denied")
    {
        Some("login_failed")
    } else if has(&[
        "accepted password",
        "accepted publickey",
        "login success",
        "logged in",
        "successful login",
        "login_success",
        "session opened",
        "logon success",
    ]) || has(&["login"]) && matches!(action.as_str(), "success" | "login" | "accept")
    {
        Some("login")
    } else if has(&["logged out", "session closed", "logout", "logoff"]) {
        Some("logout")
    } else if has(&[
        "%sys-5-config_i",
        "configured from",
        "ui_commit",
        "configuration changed",
        "settings changed",
        "setting changed",
        "setting group",
        "config change",
        "parameter changed",
        "object attribute configured",
    ]) {
        Some("setting_change")
    } else if has(&["%sys-5-restart", "system restarted", "rebooting", "cold start", "warm start", "system starting"]) {
        Some("restart")
    } else {
        None
    };
    let after = |words: &[&str]| {
        words.iter().find_map(|w| {
            let at = m.find(w)? + w.len();
            let rest = line.message.get(at..)?.trim_start_matches([' ', '"', '\'', ':', '[']);
            let word: String =
                rest.chars().take_while(|c| !c.is_whitespace() && !"\"',;:]()".contains(*c)).take(64).collect();
            (!word.is_empty()).then_some(word)
        })
    };
    let user = field(&["user", "suser", "duser", "usrName", "srcuser", "username"]).or_else(|| {
        event.and_then(|_| {
            after(&[
                "invalid user ",
                "password for ",
                "publickey for ",
                "user: ",
                "user=",
                "by user ",
                " for user ",
                " by ",
                "for ",
            ])
        })
    });
    let ip = |t: String| t.trim_matches(['(', ')', '[', ']', ',']).parse::<IpAddr>().ok().map(Addr::from);
    let address =
        field(&["src", "srcip", "source", "sourceAddress", "rhost", "remip", "src_ip"]).and_then(ip).or_else(|| {
            [" from ", "source: ", "rhost=", " at ", "on vty0 ("].iter().find_map(|w| after(&[*w]).and_then(ip))
        });
    Told { event, user, address }
}

/// Writes a line as a record and, where it tells of a log-in, as a fact of its sender.
pub(crate) fn line(to: &mut Ingested, sender: Addr, bytes: &[u8], received: Ts, at: (u32, u64)) -> Fate {
    let (file, number) = at;
    let Some(line) = parse(bytes, received) else { return Fate::Unreadable };
    let off = line.ts.map(|t| t.since(received));
    // A clock that is off, a time zone that the line does not name: the time of receipt is right, what the line says is kept as skew.
    let (ts, skew) = match (line.ts, off) {
        (Some(_), Some(off)) if off.abs() > SKEW => (received, Some(Span(off))),
        (Some(ts), _) => (ts, None),
        (None, _) => (received, None),
    };
    let told = tell(&line);
    let flow = to.flow(FlowConst { src: sender, file, interface: u32::MAX, ..FlowConst::default() });
    let bytes = |t: &'_ Option<String>| t.clone().map(String::into_bytes);
    let (host, app, process, id) = (bytes(&line.host), bytes(&line.app), bytes(&line.process), bytes(&line.message_id));
    let user = bytes(&told.user);
    let names: Vec<&[u8]> = line.fields.iter().map(|f| f.0.as_bytes()).collect();
    let values: Vec<&[u8]> = line.fields.iter().map(|f| f.1.as_bytes()).collect();
    to.row(
        ts,
        number,
        flow,
        LogLine {
            format: line.format,
            facility: line.priority.map(|p| p.0),
            severity: line.priority.map(|p| p.1),
            host: host.as_deref(),
            app: app.as_deref(),
            process: process.as_deref(),
            message_id: id.as_deref(),
            message: line.message.as_bytes(),
            event: told.event,
            user: user.as_deref(),
            address: told.address,
            field_names: &names,
            field_values: &values,
            skew,
        },
    );
    if let (Some(event @ ("login" | "login_failed")), Some(user)) = (told.event, &told.user) {
        // Who logged in stands on the sender's side: the conversation is from that address to the host that tells of it.
        let client = told.address.unwrap_or(Addr::NONE);
        let session = to.flow(FlowConst {
            src: client,
            dst: sender,
            file,
            interface: u32::MAX,
            ip_proto: 6,
            dst_port: 22,
            ..FlowConst::default()
        });
        if !client.is_none() {
            let body = Body::Login {
                proto: "syslog",
                user: user.as_str().into(),
                cleartext: false,
                accepted: Some(event == "login"),
            };
            to.fact(ts, number, session, body);
        }
    }
    if skew.is_some() { Fate::SkewCorrected } else { Fate::Kept }
}
