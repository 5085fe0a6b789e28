//! The data of resource records as text, as Zeek writes it where Zeek does.

use std::io::Write;

use gwcore::Addr;
use proto::Cursor;

use super::{name::read_name, table};

/// Bytes of undecoded data shown in hexadecimal; longer data is cut.
const HEX_BYTES: usize = 256;

/// The data of one record within its message.
pub struct Rdata<'a> {
    /// The whole message, for compressed names.
    pub message: &'a [u8],
    /// Type of the record.
    pub kind: u16,
    /// Where its data begins.
    pub from: usize,
    /// Where its data ends.
    pub end: usize,
    /// Owner name.
    pub owner: &'a [u8],
}

/// Why data could not be read: it contradicts its type.
const BAD: &str = "bad_rdata";
type Read<T> = Result<T, &'static str>;

/// Appends the data as text, and to `all` everything it says where `text` holds only a part; gives the address when it is one.
/// Data of length 0 has no text: dynamic updates name records that way (RFC 2136 §2.5).
pub fn write(rr: &Rdata<'_>, text: &mut Vec<u8>, all: &mut Vec<u8>) -> Read<Option<Addr>> {
    let data = rr.message.get(rr.from..rr.end).ok_or(BAD)?;
    if data.is_empty() {
        return Ok(None);
    }
    let mut c = Cursor::new(data);
    match rr.kind {
        1 => return address(text, Addr::v4(data.try_into().map_err(|_| BAD)?)),
        28 => return address(text, Addr(data.try_into().map_err(|_| BAD)?)),
        // NS, MD, MF, CNAME, MB, MG, MR, PTR, DNAME
        2..=5 | 7..=9 | 12 | 39 => rr.whole_name(0, text)?,
        // MX, AFSDB, RT, KX
        15 | 18 | 21 | 36 => {
            put(all, format_args!("{} ", c.u16().ok_or(BAD)?));
            rr.whole_name(2, all)?;
            rr.whole_name(2, text)?;
        }
        6 => soa(rr, text, all)?,
        33 => srv(rr, c, text, all)?,
        16 => strings(c, "TXT", text)?,
        99 => strings(c, "SPF", text)?,
        13 => hinfo(c, text)?,
        // WKS: Zeek has no text for it either.
        11 => hex(data, all),
        29 => {
            let [_, size, horizontal, vertical, ..] = *data else { return Err(BAD) };
            put(text, format_args!("LOC:  {size} {horizontal} {vertical}"));
            hex(data, all);
        }
        35 => naptr(rr, c, text)?,
        43..=52 => dnssec(rr, c, text, all)?,
        64 | 65 => service_binding(rr, text)?,
        // TKEY, TSIG: the algorithm.
        249 | 250 => {
            text.extend_from_slice(if rr.kind == 250 { b"TSIG " } else { b"TKEY " });
            read_name(rr.message, rr.from, text).map_err(|_| BAD)?;
        }
        257 => caa(c, text)?,
        _ => {
            put(text, format_args!("<unknown type={}>", rr.kind));
            hex(data, all);
        }
    }
    Ok(None)
}

impl Rdata<'_> {
    /// A name `skip` bytes into the data that fills the rest of it.
    fn whole_name(&self, skip: usize, out: &mut Vec<u8>) -> Read<()> {
        match self.name(self.from + skip, out)? {
            end if end == self.end => Ok(()),
            _ => Err(BAD),
        }
    }

    /// A name within the data; gives the offset after it.
    fn name(&self, at: usize, out: &mut Vec<u8>) -> Read<usize> {
        read_name(self.message, at, out).ok().filter(|end| *end <= self.end).ok_or(BAD)
    }

    /// The data from an offset of the message.
    fn after(&self, at: usize) -> Cursor<'_> {
        Cursor::new(self.message.get(at..self.end).unwrap_or_default())
    }
}

fn address(text: &mut Vec<u8>, addr: Addr) -> Read<Option<Addr>> {
    put(text, format_args!("{addr}"));
    Ok(Some(addr))
}

/// Writing into memory does not fail.
fn put(out: &mut Vec<u8>, args: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(args);
}

fn hex(data: &[u8], out: &mut Vec<u8>) {
    for b in data.iter().take(HEX_BYTES) {
        put(out, format_args!("{b:02x}"));
    }
}

fn string<'a>(c: &mut Cursor<'a>) -> Read<&'a [u8]> {
    let length = c.u8().ok_or(BAD)?;
    c.take(usize::from(length)).ok_or(BAD)
}

/// `TXT 5 hello TXT 3 abc` (RFC 1035 §3.3.14, RFC 4408 §3.1.1).
fn strings(mut c: Cursor<'_>, word: &str, text: &mut Vec<u8>) -> Read<()> {
    let mut space = "";
    while !c.is_empty() {
        let s = string(&mut c)?;
        put(text, format_args!("{space}{word} {} ", s.len()));
        text.extend_from_slice(s);
        space = " ";
    }
    Ok(())
}

fn hinfo(mut c: Cursor<'_>, text: &mut Vec<u8>) -> Read<()> {
    text.extend_from_slice(b"HINFO ");
    text.extend_from_slice(string(&mut c)?);
    text.push(b' ');
    text.extend_from_slice(string(&mut c)?);
    Ok(())
}

/// RFC 1035 §3.3.13.
fn soa(rr: &Rdata<'_>, text: &mut Vec<u8>, all: &mut Vec<u8>) -> Read<()> {
    rr.name(rr.from, text)?;
    let at = rr.name(rr.from, all)?;
    all.push(b' ');
    let mut c = rr.after(rr.name(at, all)?);
    for _ in 0..5 {
        put(all, format_args!(" {}", c.u32().ok_or(BAD)?));
    }
    Ok(())
}

/// RFC 2782: priority, weight, port, target.
fn srv(rr: &Rdata<'_>, mut c: Cursor<'_>, text: &mut Vec<u8>, all: &mut Vec<u8>) -> Read<()> {
    for _ in 0..3 {
        put(all, format_args!("{} ", c.u16().ok_or(BAD)?));
    }
    rr.whole_name(6, all)?;
    rr.whole_name(6, text)
}

/// RFC 3403 §4.1.
fn naptr(rr: &Rdata<'_>, mut c: Cursor<'_>, text: &mut Vec<u8>) -> Read<()> {
    let (order, preference) = (c.u16().ok_or(BAD)?, c.u16().ok_or(BAD)?);
    put(text, format_args!("NAPTR {order} {preference} "));
    for _ in 0..3 {
        text.push(b'"');
        text.extend_from_slice(string(&mut c)?);
        text.extend_from_slice(b"\" ");
    }
    rr.whole_name(rr.end - rr.from - c.left(), text)
}

/// RFC 8659 §4.1: flags, tag, value.
fn caa(mut c: Cursor<'_>, text: &mut Vec<u8>) -> Read<()> {
    let flags = c.u8().ok_or(BAD)?;
    let tag = string(&mut c)?;
    put(text, format_args!("CAA {flags} "));
    text.extend_from_slice(tag);
    text.push(b' ');
    text.extend_from_slice(c.rest());
    Ok(())
}

/// Keys, signatures and fingerprints: RFC 4034, 4255, 5155, 6698.
fn dnssec(rr: &Rdata<'_>, mut c: Cursor<'_>, text: &mut Vec<u8>, all: &mut Vec<u8>) -> Read<()> {
    match rr.kind {
        43 => {
            let (tag, algorithm, digest) = (c.u16().ok_or(BAD)?, c.u8().ok_or(BAD)?, c.u8().ok_or(BAD)?);
            put(text, format_args!("DS {algorithm} {digest}"));
            put(all, format_args!("{tag} {algorithm} {digest} "));
            hex(c.rest(), all);
        }
        44 => {
            let (algorithm, kind) = (c.u8().ok_or(BAD)?, c.u8().ok_or(BAD)?);
            text.extend_from_slice(b"SSHFP: ");
            hex(c.rest(), text);
            put(all, format_args!("{algorithm} {kind} "));
            hex(c.rest(), all);
        }
        46 => rrsig(rr, c, text, all)?,
        47 => {
            text.extend_from_slice(b"NSEC ");
            text.extend_from_slice(rr.owner);
            text.push(b' ');
            rr.name(rr.from, text)?;
        }
        48 => {
            let (flags, protocol, algorithm) = (c.u16().ok_or(BAD)?, c.u8().ok_or(BAD)?, c.u8().ok_or(BAD)?);
            put(text, format_args!("DNSKEY {algorithm}"));
            put(all, format_args!("{flags} {protocol} {algorithm} "));
            hex(c.rest(), all);
        }
        50 => text.extend_from_slice(b"NSEC3"),
        51 => text.extend_from_slice(b"NSEC3PARAM"),
        52 => {
            let (usage, selector, matching) = (c.u8().ok_or(BAD)?, c.u8().ok_or(BAD)?, c.u8().ok_or(BAD)?);
            put(text, format_args!("TLSA {usage} {selector} {matching} "));
            hex(c.rest(), text);
        }
        kind => {
            put(text, format_args!("<unknown type={kind}>"));
            hex(c.rest(), all);
        }
    }
    Ok(())
}

/// RFC 4034 §3.1.
fn rrsig(rr: &Rdata<'_>, mut c: Cursor<'_>, text: &mut Vec<u8>, all: &mut Vec<u8>) -> Read<()> {
    let (covered, algorithm, labels) = (c.u16().ok_or(BAD)?, c.u8().ok_or(BAD)?, c.u8().ok_or(BAD)?);
    put(all, format_args!("{covered} {algorithm} {labels}"));
    for _ in 0..3 {
        put(all, format_args!(" {}", c.u32().ok_or(BAD)?));
    }
    put(all, format_args!(" {} ", c.u16().ok_or(BAD)?));
    put(text, format_args!("RRSIG {covered} "));
    rr.name(rr.from + 18, all)?;
    rr.name(rr.from + 18, text).map(|_| ())
}

/// RFC 9460 §2.2: `HTTPS 1 . alpn=h2,h3 port=443 ipv4hint=192.0.2.1`.
fn service_binding(rr: &Rdata<'_>, text: &mut Vec<u8>) -> Read<()> {
    let priority = rr.after(rr.from).u16().ok_or(BAD)?;
    put(text, format_args!("{} {priority} ", if rr.kind == 64 { "SVCB" } else { "HTTPS" }));
    let mut c = rr.after(rr.name(rr.from + 2, text)?);
    while !c.is_empty() {
        let (key, length) = (c.u16().ok_or(BAD)?, c.u16().ok_or(BAD)?);
        let value = c.sub(usize::from(length)).ok_or(BAD)?;
        match table::parameter_name(key) {
            Some(name) => put(text, format_args!(" {name}")),
            None => put(text, format_args!(" key{key}")),
        }
        if !value.is_empty() {
            text.push(b'=');
            parameter(key, value, text)?;
        }
    }
    Ok(())
}

fn parameter(key: u16, mut value: Cursor<'_>, text: &mut Vec<u8>) -> Read<()> {
    let mut comma = "";
    match key {
        1 => {
            while !value.is_empty() {
                text.extend_from_slice(comma.as_bytes());
                text.extend_from_slice(string(&mut value)?);
                comma = ",";
            }
        }
        3 => put(text, format_args!("{}", value.u16().ok_or(BAD)?)),
        4 => {
            while !value.is_empty() {
                put(text, format_args!("{comma}{}", Addr::v4(value.array().ok_or(BAD)?)));
                comma = ",";
            }
        }
        6 => {
            while !value.is_empty() {
                put(text, format_args!("{comma}{}", Addr(value.array().ok_or(BAD)?)));
                comma = ",";
            }
        }
        _ => hex(value.rest(), text),
    }
    Ok(())
}
