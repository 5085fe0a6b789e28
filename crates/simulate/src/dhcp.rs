//! DHCP messages of a renewal (RFC 2131 §4.4.5): unicast REQUEST and ACK.

use crate::network::Host;

/// Seconds of a lease; a client renews after half of it.
pub(crate) const LEASE: u32 = 3_600;

/// The client's request to extend its lease.
pub(crate) fn request(transaction: u32, client: &Host) -> Vec<u8> {
    let mut out = fixed(1, transaction, client, [0; 4]);
    out.extend_from_slice(&[53, 1, 3, 61, 7, 1]);
    out.extend_from_slice(&client.mac);
    out.extend_from_slice(&[12, client.name.len() as u8]);
    out.extend_from_slice(client.name.as_bytes());
    out.extend_from_slice(&[55, 4, 1, 3, 6, 15, 255]);
    padded(out)
}

/// The server's acknowledgement.
pub(crate) fn acknowledge(transaction: u32, client: &Host, server: &Host, dns: &Host) -> Vec<u8> {
    let mut out = fixed(2, transaction, client, client.ip().octets());
    out.extend_from_slice(&[53, 1, 5, 54, 4]);
    out.extend_from_slice(&server.ip().octets());
    out.extend_from_slice(&[51, 4]);
    out.extend_from_slice(&LEASE.to_be_bytes());
    out.extend_from_slice(&[1, 4, 255, 255, 255, 0, 3, 4]);
    out.extend_from_slice(&server.ip().octets());
    out.extend_from_slice(&[6, 4]);
    out.extend_from_slice(&dns.ip().octets());
    out.push(255);
    padded(out)
}

fn fixed(op: u8, transaction: u32, client: &Host, yours: [u8; 4]) -> Vec<u8> {
    let mut out = vec![op, 1, 6, 0];
    out.extend_from_slice(&transaction.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&client.ip().octets());
    out.extend_from_slice(&yours);
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&client.mac);
    out.resize(236, 0);
    out.extend_from_slice(&[0x63, 0x82, 0x53, 0x63]);
    out
}

/// To the 300 octets that BOOTP relays expect (RFC 951).
fn padded(mut out: Vec<u8>) -> Vec<u8> {
    out.resize(out.len().max(300), 0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{DNS, GATEWAY, HMI};

    #[test]
    fn fields_stand_where_rfc_2131_puts_them() {
        let ack = acknowledge(0x0102_0304, &HMI, &GATEWAY, &DNS);
        assert_eq!(ack[4..8], [1, 2, 3, 4]);
        assert_eq!((&ack[12..16], &ack[16..20]), (&[10, 20, 1, 20][..], &[10, 20, 1, 20][..]));
        assert_eq!(ack[28..34], HMI.mac);
        assert_eq!(ack[240..243], [53, 1, 5]);
        assert_eq!((ack.len(), request(1, &HMI).len()), (300, 300));
    }
}
