//! IEEE 802.11 data frames, bare or under radiotap, as far as they carry LLC in the clear.

use gwcore::Mac;

use crate::Link;
use crate::cursor::{Cursor, array};
use crate::walk::{Next, Walk};

/// Type of data frames (IEEE 802.11 §9.2.4.1.3).
const DATA: u8 = 2;
/// Bits of the subtype of a data frame: no data, and quality of service.
const NULL: u8 = 4;
const QOS: u8 = 8;

impl Walk {
    /// Radiotap: version, padding, length of the header in little-endian order.
    pub(crate) fn radiotap(&mut self, c: &mut Cursor<'_>) -> Next {
        let Some([0, _, l0, l1]) = array::<4>(c.rest(), 0) else { return Next::Undecoded("truncated_radiotap") };
        let len = usize::from(u16::from_le_bytes([l0, l1]));
        if len < 8 || len > c.rest().len() {
            return Next::Undecoded("truncated_radiotap");
        }
        c.skip(len);
        self.wlan(c)
    }

    /// The MAC header (IEEE 802.11 §9.2.3, §9.3.2.1): where the addresses stand depends on the directions.
    pub(crate) fn wlan(&mut self, c: &mut Cursor<'_>) -> Next {
        let rest = c.rest();
        let Some(h) = array::<24>(rest, 0) else { return Next::Undecoded("truncated_wlan") };
        let (kind, subtype, flags) = (h[0] >> 2 & 3, h[0] >> 4, h[1]);
        if kind != DATA || subtype & NULL != 0 {
            return Next::Undecoded("wlan_without_data");
        }
        if flags & 0x40 != 0 {
            return Next::Undecoded("wlan_encrypted");
        }
        let (to_system, from_system) = (flags & 1 != 0, flags & 2 != 0);
        let mac = |at: usize| array::<6>(rest, at).map(Mac);
        let mut len = if to_system && from_system { 30 } else { 24 };
        let dst = mac(if to_system { 16 } else { 4 });
        let src = match (to_system, from_system) {
            (true, true) => mac(24),
            (false, true) => mac(16),
            _ => mac(10),
        };
        if subtype & QOS != 0 {
            if rest.get(len).is_none_or(|control| control & 0x80 != 0) {
                return Next::Undecoded("wlan_aggregate");
            }
            len += if flags & 0x80 != 0 { 6 } else { 2 };
        }
        let (Some(src), Some(dst), Some(_)) = (src, dst, rest.get(len)) else {
            return Next::Undecoded("truncated_wlan");
        };
        self.has_link = true;
        self.packet.link = Link { src, dst, ..Link::default() };
        c.skip(len);
        Next::Llc
    }
}
