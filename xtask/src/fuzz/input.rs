//! One input: the parts of a conversation, frames, or a capture file; and its text form, in which findings are kept.

use std::fmt::Write as _;

use super::target::Kind;

/// What a part of a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The originator sends it.
    Client,
    /// The responder sends it.
    Server,
    /// As many bytes of the originator are missing as it is long.
    GapOfClient,
    /// As many bytes of the responder are missing.
    GapOfServer,
    /// So many seconds pass.
    Wait,
}

impl Act {
    /// All of them.
    pub const ALL: [Act; 5] = [Act::Client, Act::Server, Act::GapOfClient, Act::GapOfServer, Act::Wait];

    fn letter(self) -> char {
        match self {
            Act::Client => '>',
            Act::Server => '<',
            Act::GapOfClient => ')',
            Act::GapOfServer => '(',
            Act::Wait => '.',
        }
    }
}

/// An input of one target.
#[derive(Clone, Debug)]
pub struct Input {
    /// The target.
    pub kind: Kind,
    /// Port of the responder, EtherType, or link type of the frames.
    pub port: u16,
    /// Parts in order; a capture is one.
    pub parts: Vec<(Act, Vec<u8>)>,
}

impl Input {
    /// Bytes of all parts.
    pub fn size(&self) -> usize {
        self.parts.iter().map(|p| p.1.len()).sum()
    }

    /// As text: target and port, then a part a line in hexadecimal.
    pub fn text(&self) -> String {
        let mut out = format!("{} {}\n", self.kind.name(), self.port);
        for (act, bytes) in &self.parts {
            out.push(act.letter());
            for b in bytes {
                let _ = write!(out, "{b:02x}");
            }
            out.push('\n');
        }
        out
    }

    /// From text; lines beginning with `#` do not count.
    pub fn parse(text: &str) -> Option<Input> {
        let mut lines = text.lines().filter(|l| !l.starts_with('#'));
        let (name, port) = lines.next()?.split_once(' ')?;
        let kind = *Kind::ALL.iter().find(|k| k.name() == name)?;
        let part = |line: &str| {
            let act = *Act::ALL.iter().find(|a| line.starts_with(a.letter()))?;
            let hex = line.get(1..)?.as_bytes().chunks(2);
            let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
            Some((act, hex.map(byte).collect::<Option<Vec<u8>>>()?))
        };
        Some(Input { kind, port: port.parse().ok()?, parts: lines.map(part).collect::<Option<_>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_goes_there_and_back() {
        let text = "stream 502\n>0001ff\n<\n)00\n.1e\n";
        assert_eq!(Input::parse(&format!("# why\n{text}")).map(|i| i.text()).as_deref(), Some(text));
        assert!(Input::parse("stream 502\n>0g").is_none() && Input::parse("nothing 1\n").is_none());
    }
}
