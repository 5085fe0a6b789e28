//! TLS 1.3 records (RFC 8446) as they look on the wire: both hellos in clear, everything after them sealed.

use crate::rng::Rng;

/// Record content types.
pub(crate) const APPLICATION_DATA: u8 = 23;
const HANDSHAKE: u8 = 22;

/// A ClientHello for a server by name; the session id is what the server echoes.
pub(crate) fn client_hello(name: &str, session: &[u8; 32], rng: &mut Rng) -> Vec<u8> {
    let server_name = [&[0][..], &sized16(name.as_bytes())].concat();
    let share = [&[0, 0x1d][..], &sized16(&rng.bytes::<32>())].concat();
    let extensions = [
        extension(0, &sized16(&server_name)),
        extension(11, &[1, 0]),
        extension(10, &sized16(&[0, 0x1d, 0, 0x17, 0, 0x18])),
        extension(16, &sized16(&[&[8][..], b"http/1.1"].concat())),
        extension(13, &sized16(&[4, 3, 8, 4, 4, 1, 5, 3, 8, 5, 5, 1])),
        extension(43, &[4, 3, 4, 3, 3]),
        extension(45, &[1, 1]),
        extension(51, &sized16(&share)),
    ];
    let mut body = hello(rng, session);
    body.extend_from_slice(&sized16(&[0x13, 2, 0x13, 3, 0x13, 1, 0xc0, 0x2c, 0xc0, 0x30]));
    body.extend_from_slice(&[1, 0]);
    body.extend_from_slice(&sized16(&extensions.concat()));
    record(HANDSHAKE, 0x0301, &handshake(1, &body))
}

/// ServerHello and the meaningless ChangeCipherSpec of middlebox compatibility (appendix D.4).
pub(crate) fn server_hello(session: &[u8; 32], rng: &mut Rng) -> Vec<u8> {
    let share = [&[0, 0x1d][..], &sized16(&rng.bytes::<32>())].concat();
    let mut body = hello(rng, session);
    body.extend_from_slice(&[0x13, 2, 0]);
    body.extend_from_slice(&sized16(&[extension(43, &[3, 4]), extension(51, &share)].concat()));
    let mut out = record(HANDSHAKE, 0x0303, &handshake(2, &body));
    out.extend_from_slice(&CHANGE_CIPHER_SPEC);
    out
}

/// The ChangeCipherSpec record.
pub(crate) const CHANGE_CIPHER_SPEC: [u8; 6] = [20, 3, 3, 0, 1, 1];

/// A sealed record of `len` octets, 17 of them tag and inner type.
pub(crate) fn sealed(len: usize, rng: &mut Rng) -> Vec<u8> {
    record(APPLICATION_DATA, 0x0303, &rng.vec(len + 17))
}

fn hello(rng: &mut Rng, session: &[u8; 32]) -> Vec<u8> {
    let mut out = vec![3, 3];
    out.extend_from_slice(&rng.bytes::<32>());
    out.push(32);
    out.extend_from_slice(session);
    out
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (body.len() as u32).to_be_bytes();
    [&[kind, a, b, c][..], body].concat()
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &sized16(body)].concat()
}

fn record(kind: u8, version: u16, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &version.to_be_bytes(), &sized16(body)].concat()
}

fn sized16(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u16).to_be_bytes()[..], body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_nest() {
        let mut rng = Rng::new(1, "tls");
        let hello = client_hello("a", &[9; 32], &mut rng);
        assert_eq!(hello[..3], [22, 3, 1]);
        assert_eq!(u16::from_be_bytes([hello[3], hello[4]]) as usize, hello.len() - 5);
        assert_eq!(u16::from_be_bytes([hello[7], hello[8]]) as usize, hello.len() - 9);
        assert_eq!(hello[43..76], [[32].as_slice(), &[9; 32]].concat());
        assert_eq!(sealed(10, &mut rng)[..5], [23, 3, 3, 0, 27]);
        let server = server_hello(&[9; 32], &mut rng);
        assert_eq!(server[server.len() - 6..], CHANGE_CIPHER_SPEC);
    }
}
