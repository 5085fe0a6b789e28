//! Linux netfilter log (link type 239): values of length and type, one of which holds the packet.

use gwcore::Mac;

use crate::cursor::{Cursor, array, be16};
use crate::walk::{Next, Walk};

/// NFULA_PACKET_HDR: the EtherType, then the hook.
const HEADER: u16 = 1;
/// NFULA_HWADDR: length, padding, the sender's address.
const ADDRESS: u16 = 8;
/// NFULA_PAYLOAD: the packet from its network header on.
const PAYLOAD: u16 = 9;

impl Walk {
    /// Passes over the values before the packet; lengths and types stand in the byte order of whoever captured.
    ///
    /// Every step passes at least four bytes.
    pub(crate) fn nflog(&mut self, c: &mut Cursor<'_>) -> Next {
        let Some([_, 0, _, _]) = array::<4>(c.rest(), 0) else { return Next::Undecoded("bad_nflog_header") };
        c.skip(4);
        let mut ethertype = None;
        while let Some((len, kind)) = value_header(c.rest()) {
            if len < 4 {
                break;
            }
            let value = c.rest().get(4..len.min(c.rest().len())).unwrap_or_default();
            match kind {
                HEADER => ethertype = be16(value, 0).filter(|kind| *kind > 1_500),
                ADDRESS if be16(value, 0) == Some(6) => {
                    self.packet.link.src = array(value, 4).map_or(Mac::NONE, Mac);
                    self.has_link = !self.packet.link.src.is_none();
                }
                PAYLOAD => {
                    c.skip(4);
                    c.cap(len - 4);
                    return ethertype.map_or(Next::Ip, Next::Ethertype);
                }
                _ => {}
            }
            c.skip(len.next_multiple_of(4));
        }
        Next::Undecoded("bad_nflog_value")
    }
}

/// Length (with these four bytes) and type. Types are below 256, so one of the two bytes tells the order.
fn value_header(rest: &[u8]) -> Option<(usize, u16)> {
    let [l0, l1, t0, t1] = array::<4>(rest, 0)?;
    let read = if t1 == 0 { u16::from_le_bytes } else { u16::from_be_bytes };
    // The top bits of a type are flags of netlink (nested, network byte order).
    Some((usize::from(read([l0, l1])), read([t0, t1]) & 0x3fff))
}
