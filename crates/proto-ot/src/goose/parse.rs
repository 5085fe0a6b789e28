//! The grammar of a GOOSE frame: the header behind the EtherType and the `goosePdu` (IEC 61850-8-1 §A.1, annex C.2).

use proto::Cursor;

use super::ber;

/// Octets from APPID to the second reserved field.
const HEADER: usize = 8;
/// Tag of a `goosePdu`.
const GOOSE_PDU: u8 = 0x61;

/// One GOOSE message; what was not there or not understood is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Message<'a> {
    /// APPID.
    pub appid: u16,
    /// Octets from APPID on, as stated.
    pub length: u16,
    /// The S bit of the first reserved field.
    pub header_simulation: bool,
    /// Control block reference.
    pub gocb_ref: Option<&'a [u8]>,
    /// Time allowed to live, in milliseconds.
    pub ttl_ms: Option<u64>,
    /// Data set reference.
    pub data_set: Option<&'a [u8]>,
    /// GOOSE id.
    pub go_id: Option<&'a [u8]>,
    /// UtcTime of the last change of state.
    pub t: Option<[u8; 8]>,
    /// State number.
    pub st_num: Option<u64>,
    /// Sequence number.
    pub sq_num: Option<u64>,
    /// Simulation (edition 1: test).
    pub simulation: Option<bool>,
    /// Configuration revision.
    pub conf_rev: Option<u64>,
    /// Needs commissioning.
    pub nds_com: Option<bool>,
    /// Entries stated.
    pub num_entries: Option<u64>,
    /// Content of `allData`.
    pub all_data: Option<&'a [u8]>,
    /// What is wrong with it.
    pub fault: Option<&'static str>,
}

/// Reads a frame; without a `goosePdu` in it, the reason.
pub fn parse(data: &[u8]) -> Result<Message<'_>, &'static str> {
    let mut c = Cursor::new(data);
    let (Some(appid), Some(length), Some(reserved)) = (c.u16(), c.u16(), c.u32()) else {
        return Err("header_truncated");
    };
    let mut m = Message { appid, length, header_simulation: reserved & 0x8000_0000 != 0, ..Message::default() };
    let Some(stated) = usize::from(length).checked_sub(HEADER) else { return Err("bad_length") };
    if stated > c.left() {
        m.fault = Some("truncated");
    }
    let mut body = c.sub(stated.min(c.left())).unwrap_or(c);
    let Some((GOOSE_PDU, content, whole)) = ber::element_cut(&mut body) else { return Err("not_a_goose_pdu") };
    if !whole {
        m.fault = Some("truncated");
    } else if !body.is_empty() {
        m.fault = Some("trailing_bytes");
    }
    m.fields(content);
    Ok(m)
}

impl<'a> Message<'a> {
    fn fields(&mut self, content: &'a [u8]) {
        let mut c = Cursor::new(content);
        while !c.is_empty() {
            let Some((tag, content, whole)) = ber::element_cut(&mut c) else {
                self.fault = self.fault.or(Some("malformed"));
                return;
            };
            let sound = match (whole, tag) {
                (false, 0xab) => {
                    self.all_data = Some(content);
                    false
                }
                (false, _) => false,
                (true, _) => self.field(tag, content).is_some(),
            };
            if !sound {
                self.fault = self.fault.or(Some("malformed"));
            }
        }
        let needed = [self.st_num, self.sq_num, self.ttl_ms, self.conf_rev];
        if self.gocb_ref.is_none() || needed.iter().any(Option::is_none) || self.t.is_none() || self.all_data.is_none()
        {
            self.fault = self.fault.or(Some("field_missing"));
        }
    }

    fn field(&mut self, tag: u8, content: &'a [u8]) -> Option<()> {
        match tag {
            0x80 => self.gocb_ref = Some(content),
            0x81 => self.ttl_ms = Some(ber::unsigned(content)?),
            0x82 => self.data_set = Some(content),
            0x83 => self.go_id = Some(content),
            0x84 => self.t = Some(content.try_into().ok()?),
            0x85 => self.st_num = Some(ber::unsigned(content)?),
            0x86 => self.sq_num = Some(ber::unsigned(content)?),
            0x87 => self.simulation = Some(*content.first()? != 0),
            0x88 => self.conf_rev = Some(ber::unsigned(content)?),
            0x89 => self.nds_com = Some(*content.first()? != 0),
            0x8a => self.num_entries = Some(ber::unsigned(content)?),
            0xab => self.all_data = Some(content),
            // Security (IEC 62351-6) and what later editions append.
            _ => {}
        }
        Some(())
    }
}
