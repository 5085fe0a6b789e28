//! The grammar of DHCP messages (RFC 2131 §2, RFC 2132): bytes in, fixed fields and options out.

use std::collections::BTreeMap;

use gwcore::Addr;
use proto::Cursor;

/// Bytes before the options (RFC 951 §3).
pub const FIXED: usize = 236;
/// What tells options from BOOTP's vendor area (RFC 2132 §2).
const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// Option 52: `file` or `sname` or both hold options.
const OVERLOAD: u8 = 52;

/// A message as far as it could be read.
#[derive(Debug)]
pub struct Message<'a> {
    /// Sent to a client.
    pub is_reply: bool,
    /// Hardware address with its type.
    pub hardware: (u8, &'a [u8]),
    /// Transaction id.
    pub xid: u32,
    /// Seconds since the client began.
    pub secs: u16,
    /// Flags; the highest bit asks for broadcast.
    pub flags: u16,
    /// `ciaddr`, `yiaddr`, `siaddr`, `giaddr`.
    pub addrs: [Addr; 4],
    /// Server name, empty when it holds options.
    pub sname: &'a [u8],
    /// Boot file, empty when it holds options.
    pub file: &'a [u8],
    /// Whether the magic cookie is there.
    pub has_cookie: bool,
    /// Options by number; the parts of one that stands several times are joined (RFC 3396).
    pub options: BTreeMap<u8, Vec<u8>>,
    /// What is wrong, if anything.
    pub fault: Option<&'static str>,
}

impl<'a> Message<'a> {
    /// Reads a message; none when the fixed part is not there.
    pub fn parse(bytes: &'a [u8]) -> Option<Message<'a>> {
        let mut c = Cursor::new(bytes);
        let [op, htype, hlen, _hops] = c.array()?;
        let (xid, secs, flags) = (c.u32()?, c.u16()?, c.u16()?);
        let addrs = [addr(&mut c)?, addr(&mut c)?, addr(&mut c)?, addr(&mut c)?];
        let (chaddr, sname, file) = (c.take(16)?, c.take(64)?, c.take(128)?);
        let hardware = (htype, chaddr.get(..usize::from(hlen)).unwrap_or(chaddr));
        let mut message = Message {
            is_reply: op == 2,
            hardware,
            xid,
            secs,
            flags,
            addrs,
            sname,
            file,
            has_cookie: c.array() == Some(COOKIE),
            options: BTreeMap::new(),
            fault: None,
        };
        message.fault = if message.has_cookie { message.all_options(c).err() } else { Some("no_magic_cookie") };
        Some(message)
    }

    /// One option.
    pub fn option(&self, code: u8) -> Option<&[u8]> {
        self.options.get(&code).map(Vec::as_slice)
    }

    /// An option that is one byte.
    pub fn byte(&self, code: u8) -> Option<u8> {
        self.option(code).and_then(|o| o.first().copied())
    }

    /// An option that is a number of four bytes.
    pub fn number(&self, code: u8) -> Option<u32> {
        Cursor::new(self.option(code)?).u32()
    }

    /// An option that is an address.
    pub fn address(&self, code: u8) -> Option<Addr> {
        addr(&mut Cursor::new(self.option(code)?))
    }

    /// An option that is a list of addresses.
    pub fn addresses(&self, code: u8) -> Vec<Addr> {
        let mut c = Cursor::new(self.option(code).unwrap_or_default());
        std::iter::from_fn(|| addr(&mut c)).collect()
    }

    /// An option that is text, without the zero bytes some clients end it with.
    pub fn text(&self, code: u8) -> Option<&[u8]> {
        self.option(code).map(until_trailing_zeros).filter(|t| !t.is_empty())
    }

    /// A sub-option of the relay agent information (RFC 3046 §2).
    pub fn relay_option(&self, code: u8) -> Option<&[u8]> {
        let mut c = Cursor::new(self.option(82)?);
        while let (Some(found), Some(length)) = (c.u8(), c.u8()) {
            let value = c.take(usize::from(length))?;
            if found == code {
                return Some(value);
            }
        }
        None
    }

    /// Options of the options field, then of `file`, then of `sname` (RFC 2131 §4.1); an overloaded field cannot overload again.
    fn all_options(&mut self, rest: Cursor<'a>) -> Result<(), &'static str> {
        let whole = read_options(rest, &mut self.options);
        let overload = self.byte(OVERLOAD).unwrap_or(0);
        let mut parts = Ok(());
        if overload & 1 != 0 {
            parts = read_options(Cursor::new(std::mem::take(&mut self.file)), &mut self.options);
        }
        if overload & 2 != 0 {
            parts = parts.and(read_options(Cursor::new(std::mem::take(&mut self.sname)), &mut self.options));
        }
        whole.and(parts)
    }
}

fn addr(c: &mut Cursor<'_>) -> Option<Addr> {
    c.array().map(Addr::v4)
}

/// Text up to its zero bytes at the end.
pub fn until_trailing_zeros(text: &[u8]) -> &[u8] {
    let zeros = text.iter().rev().take_while(|b| **b == 0).count();
    text.get(..text.len() - zeros).unwrap_or(text)
}

/// Reads options up to the end mark (255); each takes a byte at least, so this ends.
fn read_options(mut c: Cursor<'_>, options: &mut BTreeMap<u8, Vec<u8>>) -> Result<(), &'static str> {
    while let Some(code) = c.u8() {
        match code {
            0 => {}
            255 => return Ok(()),
            _ => {
                let length = c.u8().ok_or("truncated_option")?;
                let value = c.take(usize::from(length)).ok_or("truncated_option")?;
                options.entry(code).or_default().extend_from_slice(value);
            }
        }
    }
    Err("no_end_option")
}

/// The name in option 81: in labels when the E bit says so, else text (RFC 4702 §2.3).
pub fn fqdn(option: &[u8]) -> Option<Vec<u8>> {
    let (head, name) = option.split_first_chunk::<3>()?;
    if head[0] & 4 == 0 {
        return Some(until_trailing_zeros(name).to_vec()).filter(|n| !n.is_empty());
    }
    let (mut c, mut text) = (Cursor::new(name), Vec::new());
    while let Some(length) = c.u8().filter(|l| *l > 0) {
        if !text.is_empty() {
            text.push(b'.');
        }
        text.extend_from_slice(c.take(usize::from(length))?);
    }
    Some(text).filter(|n| !n.is_empty())
}
