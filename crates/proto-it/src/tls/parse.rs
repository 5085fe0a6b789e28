//! The grammar of TLS: records, hellos, certificates and key exchange as borrowed views.

use proto::Cursor;

/// Record types (RFC 8446 §5.1, RFC 6520).
pub mod kind {
    pub const CHANGE_CIPHER_SPEC: u8 = 20;
    pub const ALERT: u8 = 21;
    pub const HANDSHAKE: u8 = 22;
    pub const APPLICATION_DATA: u8 = 23;
    pub const HEARTBEAT: u8 = 24;
}

/// Longest payload of a record: 2^14 and what compression and encryption may add (RFC 5246 §6.2.3).
const MAX_RECORD: u16 = 16_384 + 2_048;

/// Type and length of a record's payload, from its five bytes; none when they cannot be a record's.
pub fn record_header(header: &[u8; 5]) -> Option<(u8, u16)> {
    let [kind, major, minor, high, low] = *header;
    let length = u16::from_be_bytes([high, low]);
    let fits = (kind::CHANGE_CIPHER_SPEC..=kind::HEARTBEAT).contains(&kind) && major == 3 && minor <= 4;
    (fits && length <= MAX_RECORD).then_some((kind, length))
}

/// A ClientHello (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2).
#[derive(Clone, Debug, Default)]
pub struct ClientHello<'a> {
    pub version: u16,
    pub session_id: &'a [u8],
    /// Two bytes each, in SSL 2 three.
    pub ciphers: Vec<u32>,
    /// Types in order.
    pub extensions: Vec<u16>,
    pub server_name: Option<&'a [u8]>,
    pub alpns: Vec<&'a [u8]>,
    pub versions: Vec<u16>,
    pub groups: Vec<u16>,
    pub point_formats: &'a [u8],
    pub signature_algorithms: Vec<u16>,
    /// Something inside did not fit; the rest was read.
    pub broken: bool,
}

/// A ServerHello (RFC 8446 §4.1.3, RFC 5246 §7.4.1.3).
#[derive(Clone, Debug, Default)]
pub struct ServerHello<'a> {
    pub version: u16,
    pub is_retry: bool,
    pub session_id: &'a [u8],
    pub cipher: u16,
    pub extensions: Vec<u16>,
    pub chosen_version: Option<u16>,
    pub group: Option<u16>,
    pub alpn: Option<&'a [u8]>,
    pub has_psk: bool,
    pub broken: bool,
}

/// The random by which a ServerHello is a HelloRetryRequest (RFC 8446 §4.1.3).
const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

fn prefixed8<'a>(c: &mut Cursor<'a>) -> Option<Cursor<'a>> {
    let n = c.u8()?;
    c.sub(usize::from(n))
}

fn prefixed16<'a>(c: &mut Cursor<'a>) -> Option<Cursor<'a>> {
    let n = c.u16()?;
    c.sub(usize::from(n))
}

fn numbers(mut c: Cursor<'_>) -> Vec<u16> {
    std::iter::from_fn(|| c.u16()).collect()
}

/// Reads the body of a ClientHello; none when not even its suites are there.
pub fn client_hello(body: &[u8]) -> Option<ClientHello<'_>> {
    let mut c = Cursor::new(body);
    let mut hello = ClientHello { version: c.u16()?, ..Default::default() };
    c.take(32)?;
    hello.session_id = prefixed8(&mut c)?.rest();
    hello.ciphers = numbers(prefixed16(&mut c)?).into_iter().map(u32::from).collect();
    prefixed8(&mut c)?;
    hello.broken = extensions(c, |kind, data| {
        hello.extensions.push(kind);
        client_extension(&mut hello, kind, data).is_some()
    });
    Some(hello)
}

/// Walks extensions; whether something did not fit. None at all is the form before RFC 4366.
fn extensions<'a>(mut c: Cursor<'a>, mut each: impl FnMut(u16, Cursor<'a>) -> bool) -> bool {
    if c.is_empty() {
        return false;
    }
    let Some(mut list) = prefixed16(&mut c) else { return true };
    let mut broken = !c.is_empty();
    while !list.is_empty() {
        let Some((kind, data)) = list.u16().and_then(|kind| Some((kind, prefixed16(&mut list)?))) else { return true };
        broken |= !each(kind, data);
    }
    broken
}

fn client_extension<'a>(hello: &mut ClientHello<'a>, kind: u16, mut data: Cursor<'a>) -> Option<()> {
    match kind {
        0 if !data.is_empty() => {
            let mut list = prefixed16(&mut data)?;
            let is_host = list.u8()? == 0;
            let name = prefixed16(&mut list)?.rest();
            hello.server_name = hello.server_name.or(is_host.then_some(name));
        }
        10 => hello.groups = numbers(prefixed16(&mut data)?),
        11 => hello.point_formats = prefixed8(&mut data)?.rest(),
        13 => hello.signature_algorithms = numbers(prefixed16(&mut data)?),
        16 => {
            let mut list = prefixed16(&mut data)?;
            while !list.is_empty() {
                hello.alpns.push(prefixed8(&mut list)?.rest());
            }
        }
        43 => hello.versions = numbers(prefixed8(&mut data)?),
        _ => {}
    }
    Some(())
}

/// Reads the body of a ServerHello or HelloRetryRequest.
pub fn server_hello(body: &[u8]) -> Option<ServerHello<'_>> {
    let mut c = Cursor::new(body);
    let mut hello = ServerHello { version: c.u16()?, ..Default::default() };
    hello.is_retry = c.array::<32>()? == RETRY_RANDOM;
    // Drafts of TLS 1.3 up to 21 had neither session id nor compression here.
    let early_draft = (0x7f00..0x7f16).contains(&hello.version);
    if !early_draft {
        hello.session_id = prefixed8(&mut c)?.rest();
    }
    hello.cipher = c.u16()?;
    if !early_draft {
        c.u8()?;
    }
    hello.broken = extensions(c, |kind, data| {
        hello.extensions.push(kind);
        server_extension(&mut hello, kind, data).is_some()
    });
    Some(hello)
}

fn server_extension<'a>(hello: &mut ServerHello<'a>, kind: u16, mut data: Cursor<'a>) -> Option<()> {
    match kind {
        16 => hello.alpn = Some(prefixed8(&mut prefixed16(&mut data)?)?.rest()),
        41 => hello.has_psk = true,
        43 => hello.chosen_version = Some(data.u16()?),
        51 => hello.group = Some(data.u16()?),
        _ => {}
    }
    Some(())
}

/// Certificates of a chain as they lie in the message (RFC 5246 §7.4.2); the flag says that the list was cut or broken.
pub fn certificates(body: &[u8], limit: usize) -> (Vec<&[u8]>, bool) {
    let mut chain = Vec::new();
    let mut c = Cursor::new(body);
    let Some(mut list) = c.u24().and_then(|n| c.sub(n as usize)) else { return (chain, true) };
    while !list.is_empty() {
        match list.u24().and_then(|n| list.take(n as usize)) {
            Some(certificate) if chain.len() < limit => chain.push(certificate),
            _ => return (chain, true),
        }
    }
    (chain, false)
}

/// Named group of an ECDHE ServerKeyExchange (RFC 8422 §5.4).
pub fn key_exchange_group(body: &[u8]) -> Option<u16> {
    let mut c = Cursor::new(body);
    (c.u8()? == 3).then(|| c.u16()).flatten()
}

/// Whether the suite's key exchange is ephemeral elliptic-curve Diffie-Hellman, whose ServerKeyExchange names a group.
pub fn is_ecdhe(cipher: &str) -> bool {
    cipher.starts_with("TLS_ECDHE_") || cipher.starts_with("TLS_ECDH_anon_")
}

/// An SSL 2 record of two header bytes: its payload's length.
pub fn ssl2_length(data: &[u8]) -> Option<usize> {
    let [high, low, ..] = data else { return None };
    (high & 0x80 != 0).then(|| usize::from(u16::from_be_bytes([high & 0x7f, *low])))
}

/// Reads a CLIENT-HELLO in the format of SSL 2 (RFC 6101 appendix E), without its two header bytes; every length must fit.
pub fn ssl2_client_hello(payload: &[u8]) -> Option<ClientHello<'_>> {
    let mut c = Cursor::new(payload);
    if c.u8()? != 1 {
        return None;
    }
    let version = c.u16()?;
    let (ciphers, session, challenge) = (c.u16()?, c.u16()?, c.u16()?);
    let fits = version == 2 || (0x0300..=0x0303).contains(&version);
    if !fits || ciphers == 0 || ciphers % 3 != 0 || !(16..=32).contains(&challenge) || !matches!(session, 0 | 16 | 32) {
        return None;
    }
    let mut list = c.sub(usize::from(ciphers))?;
    let session_id = c.take(usize::from(session))?;
    c.take(usize::from(challenge))?;
    let ciphers = std::iter::from_fn(|| list.u24()).collect();
    c.is_empty().then(|| ClientHello { version, session_id, ciphers, ..Default::default() })
}

/// Reads a SERVER-HELLO of SSL 2: first of its ciphers and the certificate.
pub fn ssl2_server_hello(payload: &[u8]) -> Option<(Option<u32>, &[u8])> {
    let mut c = Cursor::new(payload);
    if c.u8()? != 4 {
        return None;
    }
    let (_hit, _kind, version) = (c.u8()?, c.u8()?, c.u16()?);
    let (certificate, ciphers, _connection) = (c.u16()?, c.u16()?, c.u16()?);
    if version != 2 {
        return None;
    }
    let certificate = c.take(usize::from(certificate))?;
    Some((c.sub(usize::from(ciphers))?.u24(), certificate))
}
