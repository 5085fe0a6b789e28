//! The grammar of pcap-filter(7): words to a condition.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Family, FilterError, Layer, Order, Side, Test, Value};

/// Nesting of brackets and `not`s at most.
const DEPTH: usize = 64;
/// Bytes of an expression at most.
const LONGEST: usize = 64 << 10;

const PORTED: &[u8] = &[6, 17, 132];

/// Named ports that utilities' people type, and those of every example (IANA service names).
const SERVICES: &[(&str, u16)] = &[
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("domain", 53),
    ("bootps", 67),
    ("bootpc", 68),
    ("tftp", 69),
    ("http", 80),
    ("iso-tsap", 102),
    ("ntp", 123),
    ("snmp", 161),
    ("snmptrap", 162),
    ("https", 443),
    ("mbap", 502),
    ("syslog", 514),
    ("iec-104", 2404),
    ("dnp", 20000),
    ("bacnet", 47808),
];

/// Named values of `icmp[icmptype]`, `tcp[tcpflags]` and the like (pcap-filter(7)).
const NAMED: &[(&str, u32)] = &[
    ("icmptype", 0),
    ("icmpcode", 1),
    ("icmp6type", 0),
    ("icmp6code", 1),
    ("tcpflags", 13),
    ("icmp-echoreply", 0),
    ("icmp-unreach", 3),
    ("icmp-sourcequench", 4),
    ("icmp-redirect", 5),
    ("icmp-echo", 8),
    ("icmp-routeradvert", 9),
    ("icmp-routersolicit", 10),
    ("icmp-timxceed", 11),
    ("icmp-paramprob", 12),
    ("icmp-tstamp", 13),
    ("icmp-tstampreply", 14),
    ("tcp-fin", 1),
    ("tcp-syn", 2),
    ("tcp-rst", 4),
    ("tcp-push", 8),
    ("tcp-ack", 16),
    ("tcp-urg", 32),
    ("tcp-ece", 64),
    ("tcp-cwr", 128),
];

/// IP protocols by name.
const PROTOS: &[(&str, u8)] = &[
    ("icmp", 1),
    ("igmp", 2),
    ("tcp", 6),
    ("igrp", 9),
    ("udp", 17),
    ("esp", 50),
    ("ah", 51),
    ("icmp6", 58),
    ("pim", 103),
    ("vrrp", 112),
    ("carp", 112),
    ("sctp", 132),
];

/// EtherTypes by name.
const ETHERTYPES: &[(&str, u16)] = &[
    ("ip", 0x0800),
    ("arp", 0x0806),
    ("rarp", 0x8035),
    ("ip6", 0x86dd),
    ("pppoed", 0x8863),
    ("pppoes", 0x8864),
    ("mpls", 0x8847),
    ("lldp", 0x88cc),
    ("goose", 0x88b8),
    ("sv", 0x88ba),
    ("ptp", 0x88f7),
];

pub(super) fn parse(text: &str) -> Result<Option<Test>, FilterError> {
    if text.len() > LONGEST {
        return Err(FilterError { what: format!("more than {LONGEST} bytes"), at: LONGEST });
    }
    let mut p = Parser { words: words(text)?, at: 0, end: text.len(), depth: 0, last: None };
    if p.words.is_empty() {
        return Ok(None);
    }
    let test = p.or()?;
    match p.words.get(p.at) {
        None => Ok(Some(test)),
        Some(w) => Err(FilterError { what: format!("`{}` does not belong here", w.text), at: w.at }),
    }
}

struct Word<'a> {
    text: &'a str,
    at: usize,
}

fn words(text: &str) -> Result<Vec<Word<'_>>, FilterError> {
    let bytes = text.as_bytes();
    let (mut all, mut at) = (Vec::new(), 0);
    // What begins a word of letters goes on through dots, colons and dashes: addresses, names, MACs.
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b"._-\\".contains(&b);
    let mut inside = 0usize;
    while let Some(b) = bytes.get(at).copied() {
        let from = at;
        if b.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        if is_word(b) || b == b':' && inside == 0 {
            while bytes.get(at).is_some_and(|b| is_word(*b) || *b == b':' && inside == 0) {
                at += 1;
            }
        } else {
            let two = text.get(at..at + 2).unwrap_or_default();
            at += if ["<=", ">=", "==", "!=", "<<", ">>", "&&", "||"].contains(&two) { 2 } else { 1 };
            match b {
                b'[' => inside += 1,
                b']' => inside = inside.saturating_sub(1),
                _ => {}
            }
        }
        let Some(word) = text.get(from..at) else {
            return Err(FilterError { what: "a character that has no meaning here".into(), at: from });
        };
        all.push(Word { text: word, at: from });
    }
    Ok(all)
}

struct Parser<'a> {
    words: Vec<Word<'a>>,
    at: usize,
    end: usize,
    depth: usize,
    /// The qualifiers of the primitive before, which `host a or b` takes over.
    last: Option<Qualifiers>,
}

#[derive(Clone, Copy)]
struct Qualifiers {
    side: Side,
    proto: Option<Proto>,
    kind: What,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Proto {
    Ether,
    Network(Family),
    Transport(u8),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Host,
    Net,
    Port,
    PortRange,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.at).map(|w| w.text)
    }

    fn take(&mut self, word: &str) -> bool {
        let is = self.peek() == Some(word);
        self.at += usize::from(is);
        is
    }

    fn next(&mut self) -> Result<&'a str, FilterError> {
        let word = self.peek().ok_or_else(|| self.wrong("something is missing"))?;
        self.at += 1;
        Ok(word)
    }

    /// An error at the word before, or at the end.
    fn wrong(&self, what: impl Into<String>) -> FilterError {
        let at = self.words.get(self.at).map_or(self.end, |w| w.at);
        FilterError { what: what.into(), at }
    }

    fn wrong_before(&self, what: impl Into<String>) -> FilterError {
        let at = self.at.checked_sub(1).and_then(|i| self.words.get(i)).map_or(self.end, |w| w.at);
        FilterError { what: what.into(), at }
    }

    fn expect(&mut self, word: &str) -> Result<(), FilterError> {
        if self.take(word) { Ok(()) } else { Err(self.wrong(format!("`{word}` is missing"))) }
    }

    fn deeper(&mut self) -> Result<(), FilterError> {
        self.depth += 1;
        if self.depth > DEPTH { Err(self.wrong("nested too deep")) } else { Ok(()) }
    }

    /// `and` and `or` bind alike and to the left in libpcap.
    fn or(&mut self) -> Result<Test, FilterError> {
        let mut test = self.not()?;
        loop {
            let is_and = self.take("and") || self.take("&&");
            if !is_and && !self.take("or") && !self.take("||") {
                return Ok(test);
            }
            let other = Box::new(self.not()?);
            test = if is_and { Test::And(Box::new(test), other) } else { Test::Or(Box::new(test), other) };
        }
    }

    fn not(&mut self) -> Result<Test, FilterError> {
        if self.take("not") || self.take("!") {
            self.deeper()?;
            let test = Test::Not(Box::new(self.not()?));
            self.depth -= 1;
            return Ok(test);
        }
        if self.peek() == Some("(") && !self.is_arithmetic() {
            self.at += 1;
            self.deeper()?;
            let test = self.or()?;
            self.depth -= 1;
            self.expect(")")?;
            return Ok(test);
        }
        self.primitive()
    }

    /// Whether a bracket opens a calculation: its partner is followed by a comparison or an operator.
    fn is_arithmetic(&self) -> bool {
        let (mut open, mut at) = (0usize, self.at);
        while let Some(w) = self.words.get(at) {
            match w.text {
                "(" => open += 1,
                ")" => {
                    open -= 1;
                    if open == 0 {
                        let after = self.words.get(at + 1).map_or("", |w| w.text);
                        return order(after).is_some() || is_operator(after);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        false
    }

    fn primitive(&mut self) -> Result<Test, FilterError> {
        if self.is_comparison() {
            return self.comparison();
        }
        let mut proto = None;
        let mut test = None;
        let word = self.peek().ok_or_else(|| self.wrong("a condition is missing"))?;
        match word {
            "vlan" => {
                self.at += 1;
                let id = self.peek().and_then(number).and_then(|n| u16::try_from(n).ok());
                self.at += usize::from(id.is_some());
                return Ok(Test::Vlan(id));
            }
            "broadcast" => {
                self.at += 1;
                return Ok(Test::Broadcast);
            }
            "multicast" => {
                self.at += 1;
                return Ok(Test::Multicast(Family::Link));
            }
            "less" | "greater" => {
                self.at += 1;
                let n = self.number()?;
                let order = if word == "less" { Order::AtMost } else { Order::AtLeast };
                return Ok(Test::Compare(Value::Length, order, Value::Number(n)));
            }
            "proto" => {
                self.at += 1;
                return Ok(Test::Proto(None, self.ip_proto()?));
            }
            "ether" | "link" => {
                self.at += 1;
                proto = Some(Proto::Ether);
            }
            _ => {
                if let Some((_, kind)) = ETHERTYPES.iter().find(|(n, _)| *n == word) {
                    self.at += 1;
                    test = Some(Test::EtherType(*kind));
                    proto = match word {
                        "ip" => Some(Proto::Network(Family::V4)),
                        "ip6" => Some(Proto::Network(Family::V6)),
                        "arp" | "rarp" => Some(Proto::Network(Family::Arp)),
                        _ => None,
                    };
                } else if let Some((_, n)) = PROTOS.iter().find(|(n, _)| *n == word) {
                    self.at += 1;
                    test = Some(protocol(*n));
                    proto = Some(Proto::Transport(*n));
                }
            }
        }
        if let Some(proto) = proto {
            match (self.peek(), proto) {
                (Some("proto"), Proto::Ether) => {
                    self.at += 1;
                    let word = self.next()?;
                    let name = word.trim_start_matches('\\');
                    let known = ETHERTYPES.iter().find(|(n, _)| *n == name).map(|(_, k)| *k);
                    let kind = known.or_else(|| number(word).and_then(|n| u16::try_from(n).ok()));
                    return kind
                        .map(Test::EtherType)
                        .ok_or_else(|| self.wrong_before(format!("`{word}` is no EtherType")));
                }
                (Some("proto"), Proto::Network(family)) => {
                    self.at += 1;
                    let version = if family == Family::V4 { 4 } else { 6 };
                    return Ok(Test::Proto(Some(version), self.ip_proto()?));
                }
                (Some("multicast"), Proto::Network(family)) => {
                    self.at += 1;
                    return Ok(Test::Multicast(family));
                }
                (Some("multicast"), Proto::Ether) => {
                    self.at += 1;
                    return Ok(Test::Multicast(Family::Link));
                }
                (Some("broadcast"), Proto::Ether) => {
                    self.at += 1;
                    return Ok(Test::Broadcast);
                }
                _ => {}
            }
        }
        let side = self.side();
        let kind = match self.peek() {
            Some("host") => Some(What::Host),
            Some("net") => Some(What::Net),
            Some("port") => Some(What::Port),
            Some("portrange") => Some(What::PortRange),
            _ => None,
        };
        self.at += usize::from(kind.is_some());
        if side.is_none() && kind.is_none() {
            if let Some(test) = test {
                return Ok(test);
            }
            if proto.is_none() {
                // `host a or b`: the words before hold on; a lone address is a host.
                let q = self.last.unwrap_or(Qualifiers { side: Side::Either, proto: None, kind: What::Host });
                return self.identity(q);
            }
        }
        let q = Qualifiers { side: side.unwrap_or(Side::Either), proto, kind: kind.unwrap_or(What::Host) };
        self.last = Some(q);
        self.identity(q)
    }

    /// `src`, `dst`, `src or dst`, `src and dst`.
    fn side(&mut self) -> Option<Side> {
        let first = self.peek().filter(|w| matches!(*w, "src" | "dst"))?;
        self.at += 1;
        let joined = self.words.get(self.at).zip(self.words.get(self.at + 1)).map(|(a, b)| (a.text, b.text));
        match joined {
            Some(("or" | "||", "src" | "dst")) => {
                self.at += 2;
                Some(Side::Either)
            }
            Some(("and" | "&&", "src" | "dst")) => {
                self.at += 2;
                Some(Side::Both)
            }
            _ => Some(if first == "src" { Side::Source } else { Side::Target }),
        }
    }

    fn identity(&mut self, q: Qualifiers) -> Result<Test, FilterError> {
        let word = self.next()?;
        match q.kind {
            What::Port | What::PortRange => {
                let (from, to) =
                    if q.kind == What::Port { (word, word) } else { word.split_once('-').unwrap_or((word, "")) };
                let ports = port(from).zip(port(to)).filter(|(a, b)| a <= b);
                let (from, to) = ports.ok_or_else(|| self.wrong_before(format!("`{word}` is no port")))?;
                let protos: &'static [u8] = match q.proto {
                    None => PORTED,
                    Some(Proto::Transport(6)) => &[6],
                    Some(Proto::Transport(17)) => &[17],
                    Some(Proto::Transport(132)) => &[132],
                    Some(Proto::Network(Family::V4 | Family::V6)) => PORTED,
                    Some(_) => return Err(self.wrong_before("this protocol has no ports")),
                };
                let test = Test::Port(q.side, protos, from, to);
                Ok(match q.proto {
                    Some(Proto::Network(Family::V4)) => Test::And(Box::new(Test::EtherType(0x0800)), Box::new(test)),
                    Some(Proto::Network(Family::V6)) => Test::And(Box::new(Test::EtherType(0x86dd)), Box::new(test)),
                    _ => test,
                })
            }
            What::Host if q.proto == Some(Proto::Ether) || mac(word).is_some() => {
                let mac = mac(word).ok_or_else(|| self.wrong_before(format!("`{word}` is no MAC address")))?;
                Ok(Test::Mac(q.side, mac))
            }
            What::Host | What::Net => {
                let family = match q.proto {
                    None => Family::Any,
                    Some(Proto::Network(family)) => family,
                    Some(_) => return Err(self.wrong_before("name `ip`, `ip6`, `arp` or no protocol with an address")),
                };
                let (net, full) = network(word, q.kind)
                    .ok_or_else(|| self.wrong_before(format!("`{word}` is no address (names are not looked up)")))?;
                let mut bits = full;
                if q.kind == What::Net && self.take("/") {
                    let n = self.number()?;
                    let base = if net[..10] == [0; 10] && net[10..12] == [0xff; 2] { 96 } else { 0 };
                    bits = u8::try_from(n)
                        .ok()
                        .filter(|n| *n <= 128 - base)
                        .map(|n| n + base)
                        .ok_or_else(|| self.wrong_before(format!("a network of {n} bits does not exist")))?;
                } else if q.kind == What::Net && self.take("mask") {
                    let word = self.next()?;
                    let mask: Ipv4Addr = word.parse().map_err(|_| self.wrong_before(format!("`{word}` is no mask")))?;
                    bits = 96 + u32::from(mask).leading_ones() as u8;
                }
                let mask = mask(bits);
                if (0..16).any(|i| net[i] & !mask[i] != 0) {
                    return Err(self.wrong_before("the address has bits outside of its network"));
                }
                Ok(Test::Net(q.side, family, net, mask))
            }
        }
    }

    fn ip_proto(&mut self) -> Result<u8, FilterError> {
        let word = self.next()?;
        let name = word.trim_start_matches('\\');
        let known = PROTOS.iter().find(|(n, _)| *n == name).map(|(_, p)| *p);
        let proto = known.or_else(|| number(word).and_then(|n| u8::try_from(n).ok()));
        proto.ok_or_else(|| self.wrong_before(format!("`{word}` is no IP protocol")))
    }

    fn number(&mut self) -> Result<u32, FilterError> {
        let word = self.next()?;
        number(word).ok_or_else(|| self.wrong_before(format!("`{word}` is no number")))
    }

    /// Whether a comparison of numbers stands here.
    fn is_comparison(&self) -> bool {
        let after = self.words.get(self.at + 1).map_or("", |w| w.text);
        match self.peek() {
            Some("len" | "-" | "(") => true,
            Some(word) if number(word).is_some() => order(after).is_some() || is_operator(after),
            Some(word) => after == "[" && layer(word).is_some(),
            None => false,
        }
    }

    fn comparison(&mut self) -> Result<Test, FilterError> {
        let a = self.value(0)?;
        let word = self.next()?;
        let order = order(word).ok_or_else(|| self.wrong_before("a comparison is missing"))?;
        let b = self.value(0)?;
        Ok(Test::Compare(a, order, b))
    }

    /// A calculation; operators bind as in C.
    fn value(&mut self, least: u8) -> Result<Value, FilterError> {
        self.deeper()?;
        let mut value = self.atom()?;
        while let Some((op, binding)) = self.peek().and_then(operator).filter(|(_, b)| *b >= least) {
            self.at += 1;
            let other = self.value(binding + 1)?;
            value = Value::Calc(Box::new(value), op, Box::new(other));
        }
        self.depth -= 1;
        Ok(value)
    }

    fn atom(&mut self) -> Result<Value, FilterError> {
        let word = self.next()?;
        match word {
            "(" => {
                let value = self.value(0)?;
                self.expect(")")?;
                Ok(value)
            }
            "-" => {
                self.deeper()?;
                let value = self.atom()?;
                self.depth -= 1;
                Ok(Value::Negative(Box::new(value)))
            }
            "len" => Ok(Value::Length),
            _ => {
                if let Some(n) = number(word).or_else(|| NAMED.iter().find(|(n, _)| *n == word).map(|(_, v)| *v)) {
                    return Ok(Value::Number(n));
                }
                let layer = layer(word).ok_or_else(|| self.wrong_before(format!("`{word}` is no number")))?;
                self.expect("[")?;
                let at = self.value(0)?;
                let size = if self.take(":") { self.number()? } else { 1 };
                self.expect("]")?;
                match size {
                    1 | 2 | 4 => Ok(Value::Bytes(layer, Box::new(at), size as u8)),
                    _ => Err(self.wrong_before("one, two or four bytes make a number")),
                }
            }
        }
    }
}

/// `tcp` of either IP version; ICMP belongs to its own.
fn protocol(n: u8) -> Test {
    match n {
        1 | 2 | 9 => Test::Proto(Some(4), n),
        58 => Test::Proto(Some(6), n),
        _ => Test::Proto(None, n),
    }
}

fn layer(word: &str) -> Option<Layer> {
    match word {
        "ether" | "link" => Some(Layer::Link),
        "ip" => Some(Layer::V4),
        "ip6" => Some(Layer::V6),
        "arp" | "rarp" => Some(Layer::Arp),
        _ => PROTOS.iter().find(|(n, _)| *n == word).map(|(_, p)| Layer::Transport(*p)),
    }
}

fn order(word: &str) -> Option<Order> {
    Some(match word {
        "<" => Order::Less,
        "<=" => Order::AtMost,
        "=" | "==" => Order::Equal,
        "!=" => Order::Unequal,
        ">=" => Order::AtLeast,
        ">" => Order::Greater,
        _ => return None,
    })
}

/// An operator and how it binds.
fn operator(word: &str) -> Option<(char, u8)> {
    Some(match word {
        "|" => ('|', 1),
        "^" => ('^', 2),
        "&" => ('&', 3),
        "<<" => ('<', 4),
        ">>" => ('>', 4),
        "+" => ('+', 5),
        "-" => ('-', 5),
        "*" => ('*', 6),
        "/" => ('/', 6),
        "%" => ('%', 6),
        _ => return None,
    })
}

fn is_operator(word: &str) -> bool {
    operator(word).is_some()
}

fn number(word: &str) -> Option<u32> {
    match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None if word.len() > 1 && word.starts_with('0') && word.bytes().all(|b| b.is_ascii_digit()) => {
            u32::from_str_radix(word, 8).ok()
        }
        None => word.parse().ok(),
    }
}

fn port(word: &str) -> Option<u16> {
    let known = SERVICES.iter().find(|(n, _)| *n == word).map(|(_, p)| *p);
    known.or_else(|| word.parse().ok())
}

fn mac(word: &str) -> Option<[u8; 6]> {
    let mark = if word.contains(':') { ':' } else { '-' };
    let parts: Vec<u8> =
        word.split(mark).map(|p| u8::from_str_radix(p, 16).ok().filter(|_| p.len() <= 2)).collect::<Option<_>>()?;
    parts.try_into().ok()
}

/// An address, or the beginning of one for `net`, with the bits that it has.
fn network(word: &str, kind: What) -> Option<([u8; 16], u8)> {
    if let Ok(v6) = word.parse::<Ipv6Addr>() {
        return Some((v6.octets(), 128));
    }
    let parts: Vec<u8> = word.split('.').map(|p| p.parse().ok()).collect::<Option<_>>()?;
    if parts.is_empty() || parts.len() > 4 || (kind == What::Host && parts.len() != 4) {
        return None;
    }
    let mut net = [0; 16];
    net[10..12].copy_from_slice(&[0xff, 0xff]);
    net[12..12 + parts.len()].copy_from_slice(&parts);
    Some((net, 96 + 8 * parts.len() as u8))
}

fn mask(bits: u8) -> [u8; 16] {
    let bits = u32::from(bits.min(128));
    let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
    mask.to_be_bytes()
}
