//! Rapid spanning tree hellos (IEEE 802.1D-2004 clause 9.3.3), sent on LLC 0x42.

/// Bridge group address.
pub(crate) const GROUP: [u8; 6] = [0x01, 0x80, 0xc2, 0, 0, 0];

/// A configuration BPDU of a root bridge from one of its designated, forwarding ports.
pub(crate) fn hello(bridge: [u8; 6], port: u16) -> Vec<u8> {
    let id = [&[0x10, 0][..], &bridge].concat();
    let mut out = vec![0, 0, 2, 2, 0x3c];
    out.extend_from_slice(&id);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&id);
    out.extend_from_slice(&(0x8000 | port).to_be_bytes());
    // Age 0, maximum age 20 s, hello 2 s, forward delay 15 s in 1/256 s; version 1 length 0.
    out.extend_from_slice(&[0, 0, 20, 0, 2, 0, 15, 0, 0]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_rst_bpdu_has_thirty_six_octets() {
        let bpdu = hello([1, 2, 3, 4, 5, 6], 7);
        assert_eq!((bpdu.len(), &bpdu[25..27]), (36, &[0x80, 7][..]));
        assert_eq!(bpdu[5..13], [0x10, 0, 1, 2, 3, 4, 5, 6]);
    }
}
