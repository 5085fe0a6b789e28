//! What a handshake told so far, and the row it becomes.

use gwcore::Body;
use proto::{Cx, Dir, Mark, Parser};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::Tls;
use super::certificate::{Certificate, certificate};
use super::fingerprint::{hex, ja3, ja3s, ja4};
use super::parse::{self, ClientHello, ServerHello};
use super::record::TlsRecord;
use super::table;
use crate::text::{fact_text, keep};

/// What is kept of a ClientHello.
#[derive(Debug)]
pub struct Client {
    mark: Mark,
    version: u16,
    session_id: Vec<u8>,
    server_name: Option<Vec<u8>>,
    alpns: Vec<Vec<u8>>,
    versions: Vec<u16>,
    /// JA3 and JA4; none of a hello in the format of SSL 2.
    prints: Option<[String; 2]>,
}

/// What is kept of a HelloRetryRequest.
#[derive(Debug)]
pub struct Retry {
    frame: u64,
    ja3s: String,
}

/// What is kept of a ServerHello.
#[derive(Debug)]
pub struct Server {
    mark: Mark,
    pub version: u16,
    cipher: String,
    group: Option<u16>,
    alpn: Option<Vec<u8>>,
    /// None in SSL 2.
    ja3s: Option<String>,
}

/// A session under way.
#[derive(Debug, Default)]
pub struct Session {
    pub client: Option<Client>,
    pub server: Option<Server>,
    pub is_ssl2: bool,
    pub resumed: bool,
    pub last_alert: Option<u8>,
    pub alert_mark: Option<Mark>,
    /// SHA-256 of the server's certificates.
    pub chain: Vec<String>,
    chain_len: u16,
    cert_sha1: Option<String>,
    cert: Option<Certificate>,
    client_cert: Option<Certificate>,
    pub retry: Option<Retry>,
    /// Frame and fingerprints of the second ClientHello, which answers it (the request itself may not have been seen).
    second: Option<(u64, [String; 2])>,
}

/// Certificates of a chain that are fingerprinted.
const MAX_CHAIN: usize = 16;
/// Protocols and versions kept of a ClientHello.
const MAX_LIST: usize = 64;

impl Session {
    /// The hello of an SSL 2 server.
    pub fn ssl2_server_hello(&mut self, cipher: Option<u32>, der: &[u8], cx: &mut Cx<'_>) {
        let cipher = cipher.map(table::cipher).unwrap_or_default();
        let mark = cx.mark();
        self.server = Some(Server { mark, version: 2, cipher, group: None, alpn: None, ja3s: None });
        if !der.is_empty() {
            self.server_certificates(&[der], cx);
        }
    }

    fn server_certificates(&mut self, chain: &[&[u8]], cx: &mut Cx<'_>) {
        let Some(first) = chain.first().filter(|_| self.chain.is_empty()) else { return };
        self.chain = chain.iter().map(|der| hex(&Sha256::digest(der))).collect();
        self.chain_len = u16::try_from(chain.len()).unwrap_or(u16::MAX);
        self.cert_sha1 = Some(hex(&Sha1::digest(first)));
        self.cert = certificate(first);
        match &self.cert {
            Some(cert) if !cert.subject.is_empty() => {
                let value = fact_text(cert.subject.as_bytes());
                cx.fact(Body::Identity { field: "certificate", value, source: "tls" });
            }
            Some(_) => {}
            None => cx.anomaly(Tls::NAME, "bad_certificate", b""),
        }
    }
}

impl Tls {
    pub(super) fn message(&mut self, dir: Dir, kind: u8, body: &[u8], cx: &mut Cx<'_>) {
        match kind {
            1 => match parse::client_hello(body) {
                Some(hello) => self.client_hello(dir, &hello, cx),
                None => cx.anomaly(Self::NAME, "bad_client_hello", b""),
            },
            2 => match parse::server_hello(body) {
                Some(hello) => self.server_hello(dir, &hello, cx),
                None => cx.anomaly(Self::NAME, "bad_server_hello", b""),
            },
            11 => {
                let (chain, broken) = parse::certificates(body, MAX_CHAIN);
                if broken {
                    cx.anomaly(Self::NAME, "bad_certificate_list", b"");
                }
                if !self.is_client(dir) {
                    self.session.server_certificates(&chain, cx);
                } else if self.session.client_cert.is_none() {
                    self.session.client_cert = chain.first().and_then(|der| certificate(der));
                }
            }
            12 => {
                let group = parse::key_exchange_group(body);
                if let Some(server) = self.session.server.as_mut().filter(|s| parse::is_ecdhe(&s.cipher)) {
                    server.group = server.group.or(group);
                }
            }
            _ => {}
        }
    }

    pub(super) fn client_hello(&mut self, dir: Dir, hello: &ClientHello<'_>, cx: &mut Cx<'_>) {
        let prints = (!self.session.is_ssl2).then(|| [ja3(hello), ja4(hello)]);
        // A second one answers a HelloRetryRequest, or renegotiates.
        if self.session.client.is_some() {
            if let Some(prints) = prints {
                self.session.second.get_or_insert((cx.at.frame, prints));
            }
            return;
        }
        self.set_client(dir, cx);
        if hello.broken {
            cx.anomaly(Self::NAME, "bad_extension", b"");
        }
        if let Some(name) = hello.server_name
            && std::str::from_utf8(name).is_ok_and(|n| n.parse::<std::net::IpAddr>().is_err())
        {
            let addr = if dir == Dir::Orig { cx.flow.dst } else { cx.flow.src };
            cx.fact(Body::Name { addr, mac: gwcore::Mac::default(), name: fact_text(name), source: "tls" });
        }
        let versions = hello.versions.iter().copied().filter(|v| !table::is_grease(*v)).take(MAX_LIST).collect();
        self.session.client = Some(Client {
            mark: cx.mark(),
            version: hello.version,
            session_id: hello.session_id.to_vec(),
            server_name: hello.server_name.map(|n| keep(n).into_vec()),
            alpns: hello.alpns.iter().take(MAX_LIST).map(|a| keep(a).into_vec()).collect(),
            versions,
            prints,
        });
    }

    fn server_hello(&mut self, dir: Dir, hello: &ServerHello<'_>, cx: &mut Cx<'_>) {
        self.set_client(dir.flip(), cx);
        if hello.broken {
            cx.anomaly(Self::NAME, "bad_extension", b"");
        }
        if hello.is_retry {
            self.session.retry.get_or_insert(Retry { frame: cx.at.frame, ja3s: ja3s(hello) });
            // The second ClientHello comes in the clear, whatever the first was followed by.
            self.sides[dir.flip().index()].encrypted = false;
            return;
        }
        if self.session.server.is_some() {
            return;
        }
        let version = hello.chosen_version.unwrap_or(hello.version);
        let offered = self.session.client.as_ref().map(|c| c.session_id.as_slice());
        let same_id = !hello.session_id.is_empty() && offered == Some(hello.session_id);
        // In TLS 1.3 the session id is an echo and a chosen pre-shared key tells (RFC 8446 §4.1.3).
        self.session.resumed = if version > 0x0303 { hello.has_psk } else { same_id };
        self.session.server = Some(Server {
            mark: cx.mark(),
            version,
            cipher: table::cipher(u32::from(hello.cipher)),
            group: hello.group,
            alpn: hello.alpn.map(|a| keep(a).into_vec()),
            ja3s: Some(ja3s(hello)),
        });
    }

    fn set_client(&mut self, client: Dir, cx: &mut Cx<'_>) {
        if self.client.is_none() {
            self.client = Some(client);
            if client == Dir::Resp {
                cx.server_is_originator();
            }
        }
    }

    /// Writes the session, once, if there was one; what follows is not looked at.
    pub(super) fn write(&mut self, established: bool, cx: &mut Cx<'_>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        self.sides = Default::default();
        let session = std::mem::take(&mut self.session);
        let (client, server) = (session.client.as_ref(), session.server.as_ref());
        let Some(mark) = client.map(|c| c.mark).or(server.map(|s| s.mark)).or(session.alert_mark) else { return };
        let mark = Mark { dir: self.client.unwrap_or_default(), ..mark };
        let offered = client.map(|c| c.versions.iter().copied().max().unwrap_or(c.version));
        let version = server.map(|s| s.version).or(offered).map(table::version);
        let curve = server.and_then(|s| s.group).map(table::group);
        let last_alert = session.last_alert.map(table::alert);
        let versions: Option<Vec<String>> = client.map(|c| match c.versions.as_slice() {
            [] => vec![table::version(c.version)],
            list => list.iter().map(|v| table::version(*v)).collect(),
        });
        let versions = versions.as_ref().map(|v| v.iter().map(String::as_bytes).collect::<Vec<_>>());
        let alpns = client.map(|c| c.alpns.iter().map(Vec::as_slice).collect::<Vec<_>>()).filter(|a| !a.is_empty());
        let chain: Vec<&[u8]> = session.chain.iter().map(String::as_bytes).collect();
        let cert = session.cert.as_ref();
        let retry = session.retry.as_ref();
        let answer = session.second.as_ref();
        let names = cert.map(|c| c.san_dns.iter().map(|n| n.as_bytes()).collect::<Vec<_>>()).filter(|n| !n.is_empty());
        cx.emit_at(
            mark,
            TlsRecord {
                version: bytes(&version),
                cipher: server.map(|s| s.cipher.as_bytes()).filter(|c| !c.is_empty()),
                curve: bytes(&curve),
                server_name: client.and_then(|c| c.server_name.as_deref()),
                resumed: session.resumed,
                last_alert: bytes(&last_alert),
                next_protocol: server.and_then(|s| s.alpn.as_deref()),
                established,
                subject: cert.map(|c| c.subject.as_bytes()),
                issuer: cert.map(|c| c.issuer.as_bytes()),
                client_subject: session.client_cert.as_ref().map(|c| c.subject.as_bytes()),
                client_issuer: session.client_cert.as_ref().map(|c| c.issuer.as_bytes()),
                serial: cert.map(|c| c.serial.as_bytes()),
                not_before: cert.and_then(|c| c.not_before),
                not_after: cert.and_then(|c| c.not_after),
                san_dns: names.as_deref(),
                cert_fps: (!chain.is_empty()).then_some(chain.as_slice()),
                cert_sha1: bytes(&session.cert_sha1),
                cert_key_alg: cert.map(|c| c.key_alg.as_bytes()),
                cert_key_length: cert.and_then(|c| c.key_length),
                chain_len: (session.chain_len > 0).then_some(session.chain_len),
                ja3: prints(0, client.and_then(|c| c.prints.as_ref())),
                ja3s: server.and_then(|s| bytes(&s.ja3s)),
                ja4: prints(1, client.and_then(|c| c.prints.as_ref())),
                client_versions: versions.as_deref(),
                client_alpns: alpns.as_deref(),
                client_frame: client.map(|c| c.mark.frame),
                retry_frame: retry.map(|r| r.frame),
                retry_ja3s: retry.map(|r| r.ja3s.as_bytes()),
                retry_client_frame: answer.map(|a| a.0),
                retry_ja3: prints(0, answer.map(|a| &a.1)),
                retry_ja4: prints(1, answer.map(|a| &a.1)),
                server_frame: server.map(|s| s.mark.frame),
            },
        );
    }
}

fn prints(index: usize, of: Option<&[String; 2]>) -> Option<&[u8]> {
    of.and_then(|p| p.get(index)).map(String::as_bytes)
}

fn bytes(text: &Option<String>) -> Option<&[u8]> {
    text.as_ref().map(String::as_bytes)
}
