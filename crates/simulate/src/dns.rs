//! DNS messages (RFC 1035 §4): one question for an address and its answer.

use std::net::Ipv4Addr;

/// A query for the A record of `name`.
pub(crate) fn query(id: u16, name: &str) -> Vec<u8> {
    let mut out = header(id, 0x0100, 0, 0);
    out.extend(question(name));
    out
}

/// An authoritative answer; name error where there is no address.
pub(crate) fn answer(id: u16, name: &str, address: Option<Ipv4Addr>) -> Vec<u8> {
    let mut out = match address {
        Some(_) => header(id, 0x8580, 1, 0),
        None => header(id, 0x8583, 0, 0),
    };
    out.extend(question(name));
    if let Some(address) = address {
        out.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1]);
        out.extend_from_slice(&3_600u32.to_be_bytes());
        out.extend_from_slice(&[0, 4]);
        out.extend_from_slice(&address.octets());
    }
    out
}

fn header(id: u16, flags: u16, answers: u16, authorities: u16) -> Vec<u8> {
    [id, flags, 1, answers, authorities, 0].iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn question(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.') {
        out.push(label.len() as u8);
        out.extend_from_slice(label.as_bytes());
    }
    out.extend_from_slice(&[0, 0, 1, 0, 1]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_by_hand() {
        let query = query(0x1234, "a.bc");
        assert_eq!(query[..12], [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(query[12..], [1, b'a', 2, b'b', b'c', 0, 0, 1, 0, 1]);
        let answer = answer(0x1234, "a.bc", Some(Ipv4Addr::new(10, 0, 0, 1)));
        assert_eq!(answer[2..8], [0x85, 0x80, 0, 1, 0, 1]);
        assert_eq!(answer[22..], [0xc0, 12, 0, 1, 0, 1, 0, 0, 0x0e, 0x10, 0, 4, 10, 0, 0, 1]);
    }
}
