//! The grammar of DNS messages (RFC 1035 §4): bytes in, header, first question, records and faults out.

use gwcore::{Addr, Limit};
use proto::Cursor;

use super::{name::read_name, rdata};

/// Type of the EDNS pseudo record.
const OPT: u16 = 41;

/// The first twelve bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Header {
    /// Transaction id.
    pub id: u16,
    /// The second word.
    pub flags: u16,
    /// Questions, answers, authorities, additionals.
    pub counts: [u16; 4],
}

impl Header {
    /// Bytes of a header.
    pub const BYTES: usize = 12;

    /// Reads it.
    pub fn read(bytes: &[u8]) -> Option<Header> {
        let mut c = Cursor::new(bytes);
        Some(Header { id: c.u16()?, flags: c.u16()?, counts: [c.u16()?, c.u16()?, c.u16()?, c.u16()?] })
    }
    /// A response rather than a query.
    pub fn is_response(&self) -> bool {
        self.flags & 0x8000 != 0
    }
    /// Operation.
    pub fn opcode(&self) -> u8 {
        ((self.flags >> 11) & 15) as u8
    }
    /// Response code.
    pub fn rcode(&self) -> u16 {
        self.flags & 15
    }
    /// Authoritative answer.
    pub fn aa(&self) -> bool {
        self.flags & 0x400 != 0
    }
    /// Truncated.
    pub fn tc(&self) -> bool {
        self.flags & 0x200 != 0
    }
    /// Recursion desired.
    pub fn rd(&self) -> bool {
        self.flags & 0x100 != 0
    }
    /// Recursion available.
    pub fn ra(&self) -> bool {
        self.flags & 0x80 != 0
    }
    /// Reserved, authentic data, checking disabled.
    pub fn z(&self) -> u8 {
        ((self.flags >> 4) & 7) as u8
    }
    /// Records behind the questions.
    pub fn records(&self) -> usize {
        let [_, an, ns, ar] = self.counts;
        usize::from(an) + usize::from(ns) + usize::from(ar)
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name as text.
    pub name: Vec<u8>,
    /// Query type.
    pub qtype: u16,
    /// Class as on the wire.
    pub qclass: u16,
}

impl Question {
    /// Reads the question at `at`; gives the offset after it.
    pub fn read(message: &[u8], at: usize) -> Result<(Question, usize), &'static str> {
        let mut name = Vec::new();
        let at = read_name(message, at, &mut name)?;
        let mut c = Cursor::new(message.get(at..).unwrap_or_default());
        let (Some(qtype), Some(qclass)) = (c.u16(), c.u16()) else { return Err("truncated_question") };
        Ok((Question { name, qtype, qclass }, at + 4))
    }

    /// Whether both ask the same; names are compared without regard to case (RFC 1035 §2.3.3).
    pub fn is_same(&self, other: &Question) -> bool {
        (self.qtype, self.qclass) == (other.qtype, other.qclass) && self.name.eq_ignore_ascii_case(&other.name)
    }
}

/// EDNS (RFC 6891 §6.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edns {
    /// Largest datagram the sender takes.
    pub udp_size: u16,
    /// Upper eight bits of the response code.
    pub rcode_high: u8,
    /// Version.
    pub version: u8,
    /// DNSSEC records wanted.
    pub dnssec_ok: bool,
}

/// Texts one after another in one buffer.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    /// Each text.
    pub fn slices(&self) -> Vec<&[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(from, to)| self.bytes.get(from..*to).unwrap_or_default()).collect()
    }
    fn end(&mut self) {
        self.ends.push(self.bytes.len());
    }
    /// The text not yet ended.
    fn open(&self) -> &[u8] {
        self.bytes.get(self.ends.last().copied().unwrap_or(0)..).unwrap_or_default()
    }
    /// Drops the text not yet ended.
    fn reset(&mut self) {
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
    }
}

/// The records of one section, field by field.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// Owner names.
    pub names: Texts,
    /// Types.
    pub types: Vec<u16>,
    /// Times to live in seconds.
    pub ttls: Vec<f64>,
    /// Data as text.
    pub texts: Texts,
    /// All data as text where `texts` holds only a part.
    pub rdata: Texts,
    /// Addresses with the index of their record.
    pub addresses: Vec<(usize, Addr)>,
}

impl Section {
    /// Bytes of text held.
    pub fn bytes(&self) -> usize {
        self.names.bytes.len() + self.texts.bytes.len() + self.rdata.bytes.len()
    }
}

/// A message as far as it could be read.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// Its header.
    pub header: Header,
    /// Its first question.
    pub question: Option<Question>,
    /// Answers, authorities, additionals.
    pub sections: [Section; 3],
    /// EDNS, where it is used.
    pub edns: Option<Edns>,
    /// What is wrong with it, each reason once: bounded by the reasons there are.
    pub faults: Vec<&'static str>,
}

impl Message {
    /// Reads a message; none when not even its header is there. Records beyond [`Limit::ChildRows`] of a section are read, not kept.
    pub fn parse(bytes: &[u8]) -> Option<Message> {
        let mut message = Message { header: Header::read(bytes)?, ..Message::default() };
        match message.body(bytes) {
            Err(reason) => message.fault(reason),
            Ok(end) if end < bytes.len() => message.fault("trailing_bytes"),
            Ok(_) => {}
        }
        Some(message)
    }

    /// Whether all of it was understood.
    pub fn is_whole(&self) -> bool {
        self.faults.is_empty()
    }

    fn fault(&mut self, reason: &'static str) {
        if !self.faults.contains(&reason) {
            self.faults.push(reason);
        }
    }

    fn body(&mut self, bytes: &[u8]) -> Result<usize, &'static str> {
        let mut at = Header::BYTES;
        let [questions, counts @ ..] = self.header.counts;
        for _ in 0..questions {
            let (question, next) = Question::read(bytes, at)?;
            self.question.get_or_insert(question);
            at = next;
        }
        for (index, count) in counts.into_iter().enumerate() {
            for _ in 0..count {
                at = self.record(index, bytes, at)?;
            }
        }
        Ok(at)
    }

    fn record(&mut self, index: usize, bytes: &[u8], at: usize) -> Result<usize, &'static str> {
        let Some(section) = self.sections.get_mut(index) else { return Ok(at) };
        section.names.reset();
        let at = read_name(bytes, at, &mut section.names.bytes)?;
        let mut c = Cursor::new(bytes.get(at..).unwrap_or_default());
        let (Some(kind), Some(class), Some(ttl), Some(length)) = (c.u16(), c.u16(), c.u32(), c.u16()) else {
            section.names.reset();
            return Err("truncated_record");
        };
        let from = at + 10;
        let end = from + usize::from(length);
        if end > bytes.len() {
            section.names.reset();
            return Err("truncated_record");
        }
        if kind == OPT {
            section.names.reset();
            let [rcode_high, version, flags, _] = ttl.to_be_bytes();
            self.edns.get_or_insert(Edns { udp_size: class, rcode_high, version, dnssec_ok: flags & 0x80 != 0 });
            return Ok(end);
        }
        if section.types.len() >= Limit::ChildRows.default_value() {
            section.names.reset();
            return Ok(end);
        }
        let rr = rdata::Rdata { message: bytes, kind, from, end, owner: section.names.open() };
        let read = rdata::write(&rr, &mut section.texts.bytes, &mut section.rdata.bytes);
        let address = read.as_ref().ok().copied().flatten();
        section.addresses.extend(address.map(|a| (section.types.len(), a)));
        section.names.end();
        section.texts.end();
        section.rdata.end();
        section.types.push(kind);
        section.ttls.push(f64::from(ttl));
        if let Err(reason) = read {
            self.fault(reason);
        }
        Ok(end)
    }
}
