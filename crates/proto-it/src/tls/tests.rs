//! Tests of the TLS parser: built handshakes in, rows out; published fingerprints; every cut, gap and limit that changes what is said.

use gwcore::{Body, Limit, Limits};
use proto::testing::Bench;
use proto::{Carrier, Dir, Hint, Parser, Probe};

use super::parse;

proto::protocols! {
    /// TLS alone.
    pub enum Set { Tls: super::Tls, }
}

fn bench() -> Bench<Set> {
    Bench::new(Carrier::Stream, 443)
}

fn be16(n: usize) -> [u8; 2] {
    u16::try_from(n).unwrap().to_be_bytes()
}

fn len8(data: &[u8]) -> Vec<u8> {
    [&[u8::try_from(data.len()).unwrap()], data].concat()
}

fn len16(data: &[u8]) -> Vec<u8> {
    [&be16(data.len())[..], data].concat()
}

fn len24(data: &[u8]) -> Vec<u8> {
    [&u32::try_from(data.len()).unwrap().to_be_bytes()[1..], data].concat()
}

fn list(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &len24(body)].concat()
}

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &len16(payload)].concat()
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    record(22, &message(kind, body))
}

fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &len16(data)].concat()
}

fn hello_body(version: u16, ciphers: &[u16], extensions: &[Vec<u8>]) -> Vec<u8> {
    [
        &version.to_be_bytes()[..],
        &[7; 32],
        &len8(&[9; 4]),
        &len16(&list(ciphers)),
        &[1, 0],
        &len16(&extensions.concat()),
    ]
    .concat()
}

fn name(host: &[u8]) -> Vec<u8> {
    extension(0, &len16(&[&[0][..], &len16(host)].concat()))
}

fn alpn(protocols: &[&[u8]]) -> Vec<u8> {
    extension(16, &len16(&protocols.iter().flat_map(|p| len8(p)).collect::<Vec<_>>()))
}

fn client_hello(versions: &[u16]) -> Vec<u8> {
    let versions = extension(43, &len8(&list(versions)));
    let extensions = [name(b"plc.example"), alpn(&[b"h2", b"http/1.1"]), versions];
    handshake(1, &hello_body(0x0303, &[0x1301, 0xc02f], &extensions))
}

fn server_hello_with(random: [u8; 32], session: &[u8], cipher: u16, extensions: &[Vec<u8>]) -> Vec<u8> {
    let body =
        [&[3, 3][..], &random, &len8(session), &cipher.to_be_bytes(), &[0], &len16(&extensions.concat())].concat();
    handshake(2, &body)
}

fn server_hello_12() -> Vec<u8> {
    server_hello_with([1; 32], &[5; 8], 0xc02f, &[alpn(&[b"h2"])])
}

fn server_hello_13(extra: &[Vec<u8>]) -> Vec<u8> {
    let extensions = [extension(43, &[3, 4]), extension(51, &list(&[29, 0]))];
    server_hello_with([1; 32], &[9; 4], 0x1301, &[&extensions[..], extra].concat())
}

/// One DER value.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = match content.len() {
        n @ 0..=127 => vec![n as u8],
        n @ 128..=255 => vec![0x81, n as u8],
        n => [&[0x82][..], &be16(n)].concat(),
    };
    [&[tag][..], &length, &content].concat()
}

fn attribute(last: u8, text: &str) -> Vec<u8> {
    attribute_as(0x0c, last, text.as_bytes())
}

fn attribute_as(tag: u8, last: u8, text: &[u8]) -> Vec<u8> {
    der(0x31, &[&der(0x30, &[&der(6, &[&[0x55, 4, last]]), &der(tag, &[text])])])
}

/// A certificate with an RSA key of 1,024 bits; valid 2024-01-01 to 2025-01-01.
fn certificate() -> Vec<u8> {
    certificate_of(&[&attribute(10, "Water, Ltd"), &attribute(3, "plc")])
}

fn certificate_of(subject: &[&[u8]]) -> Vec<u8> {
    let rsa = der(0x30, &[&der(6, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]]), &[5, 0]]);
    let key = der(0x30, &[&der(2, &[&[0], &[0xc1; 128]]), &der(2, &[&[1, 0, 1]])]);
    let names = der(0x30, &[&der(0x82, &[b"plc.example"]), &der(0x82, &[b"rtu.example"])]);
    let san = der(0x30, &[&der(6, &[&[0x55, 0x1d, 0x11]]), &der(4, &[&names])]);
    let subject = der(0x30, subject);
    let validity = der(0x30, &[&der(0x17, &[b"240101000000Z"]), &der(0x17, &[b"250101000000Z"])]);
    let tbs = der(
        0x30,
        &[
            &der(0xa0, &[&der(2, &[&[2]])]),
            &der(2, &[&[0, 0xab, 0xcd]]),
            &rsa,
            &der(0x30, &[&attribute(3, "CA")]),
            &validity,
            &subject,
            &der(0x30, &[&rsa, &der(3, &[&[0], &key])]),
            &der(0xa3, &[&der(0x30, &[&san])]),
        ],
    );
    der(0x30, &[&tbs, &rsa, &der(3, &[&[0, 1, 2, 3]])])
}

fn certificates(chain: &[&[u8]]) -> Vec<u8> {
    handshake(11, &len24(&chain.iter().flat_map(|c| len24(c)).collect::<Vec<_>>()))
}

const CCS: &[u8] = &[20, 3, 3, 0, 1, 1];

/// The client's and the server's half of a full TLS 1.2 handshake, in order of sending.
fn full_12() -> [(Dir, Vec<u8>); 4] {
    let key_exchange = handshake(12, &[3, 0, 29, 1, 0]);
    let answer =
        [server_hello_12(), certificates(&[&certificate(), b"issuer"]), key_exchange, handshake(14, &[])].concat();
    let finished = record(22, &[0xee; 40]);
    [
        (Dir::Orig, client_hello(&[0x0304, 0x0303])),
        (Dir::Resp, answer),
        (Dir::Orig, [&handshake(16, &[1, 2]), CCS, &finished].concat()),
        (Dir::Resp, [CCS, &finished].concat()),
    ]
}

fn send(b: &mut Bench<Set>, dir: Dir, bytes: &[u8]) {
    if dir == Dir::Orig {
        b.client(bytes)
    } else {
        b.server(bytes)
    };
}

fn run(parts: &[(Dir, Vec<u8>)]) -> Bench<Set> {
    let mut b = bench();
    parts.iter().for_each(|(dir, bytes)| send(&mut b, *dir, bytes));
    b.close();
    assert_eq!(b.panics(), 0);
    b
}

#[track_caller]
fn check(b: &Bench<Set>, expect: &[&str]) {
    let row = b.rows("tls").join("\n");
    for piece in expect {
        assert!(format!("{row} ").contains(&format!(" {piece} ")), "`{piece}` is not in `{row}`");
    }
}

fn anomalies(b: &Bench<Set>) -> Vec<&'static str> {
    let reason = |f: &gwcore::Fact| if let Body::Anomaly { reason, .. } = f.body { Some(reason) } else { None };
    b.facts().iter().filter_map(reason).collect()
}

#[test]
fn a_full_handshake_is_one_row() {
    let b = run(&full_12());
    check(
        &b,
        &["version=TLSv12", "cipher=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "curve=x25519", "server_name=plc.example"],
    );
    check(&b, &["established=true", "resumed=false", "next_protocol=h2", "client_alpns=[h2,http/1.1]", "chain_len=2"]);
    check(&b, &["subject=CN=plc,O=Water\\, Ltd", "issuer=CN=CA", "serial=ABCD", "san_dns=[plc.example,rtu.example]"]);
    check(
        &b,
        &[
            "cert_key_alg=rsa",
            "cert_key_length=1024",
            "client_versions=[TLSv13,TLSv12]",
            "client_frame=1",
            "server_frame=2",
        ],
    );
    assert!(b.rows("tls")[0].starts_with("1 > ") && anomalies(&b).is_empty());
    let facts = b.facts().iter().filter_map(|f| match &f.body {
        Body::Name { name, source, .. } => Some((f.flow.reversed(), *source, &**name)),
        Body::Identity { field, value, .. } => Some((f.flow.reversed(), *field, &**value)),
        _ => None,
    });
    let facts: Vec<_> = facts.collect();
    assert_eq!(facts, [(false, "tls", "plc.example"), (true, "certificate", "CN=plc,O=Water\\, Ltd")]);
}

#[test]
fn the_row_is_written_when_both_sides_finished() {
    let mut b = bench();
    for (i, (dir, bytes)) in full_12().iter().enumerate() {
        assert_eq!(b.rows("tls").len(), 0, "before part {i}");
        send(&mut b, *dir, bytes);
    }
    assert_eq!(b.rows("tls").len(), 1);
    b.client(&record(23, &[1; 50])).server(b"anything").gap(Dir::Resp, 1 << 40).close();
    assert_eq!((b.rows("tls").len(), anomalies(&b).len()), (1, 0));
}

#[test]
fn resumption_is_told_by_session_id_by_order_and_by_psk() {
    let hello = || (Dir::Orig, client_hello(&[0x0303]));
    let finish = |dir| (dir, [CCS, &record(22, &[0xee; 40])].concat());
    let same = server_hello_with([1; 32], &[9; 4], 0xc02f, &[]);
    let b = run(&[hello(), (Dir::Resp, same), finish(Dir::Resp), finish(Dir::Orig)]);
    check(&b, &["resumed=true", "established=true"]);
    let b = run(&[hello(), (Dir::Resp, server_hello_12()), finish(Dir::Resp), finish(Dir::Orig)]);
    check(&b, &["resumed=true"]);
    for (extra, expect) in [(vec![], "resumed=false"), (vec![extension(41, &[0, 0])], "resumed=true")] {
        let b = run(&[(Dir::Orig, client_hello(&[0x0304])), (Dir::Resp, server_hello_13(&extra))]);
        check(&b, &[expect, "version=TLSv13", "curve=x25519"]);
    }
}

#[test]
fn tls13_is_established_by_the_clients_finished() {
    for (length, established) in [(45, "established=true"), (44, "established=false")] {
        let server = [&server_hello_13(&[]), CCS, &record(23, &[0; 400])].concat();
        let client = [CCS, &record(23, &vec![0; length])].concat();
        let b = run(&[(Dir::Orig, client_hello(&[0x0304])), (Dir::Resp, server), (Dir::Orig, client)]);
        check(&b, &[established]);
    }
}

#[test]
fn a_retry_keeps_both_hellos() {
    let sum = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c";
    let random: Vec<u8> = (0..32).map(|i| u8::from_str_radix(&sum[2 * i..2 * i + 2], 16).unwrap()).collect();
    let retry = server_hello_with(random.try_into().unwrap(), &[9; 4], 0x1301, &[extension(43, &[3, 4])]);
    let again = [CCS, &client_hello(&[0x0304])].concat();
    let b = run(&[
        (Dir::Orig, client_hello(&[0x0304])),
        (Dir::Resp, retry),
        (Dir::Orig, again),
        (Dir::Resp, server_hello_13(&[])),
    ]);
    check(&b, &["client_frame=1", "retry_frame=2", "retry_client_frame=3", "server_frame=4"]);
    // One-sided: the second hello is known by its length, a Finished is not taken for one.
    let long = |n: usize| handshake(1, &hello_body(0x0303, &[5], &[extension(21, &vec![0; n - 55])]));
    for (length, seen) in [(97, true), (96, false)] {
        let hello = long(length);
        assert_eq!(hello.len(), 5 + length);
        let b = run(&[(Dir::Orig, client_hello(&[0x0304])), (Dir::Orig, [CCS, &hello].concat())]);
        assert_eq!(b.rows("tls")[0].contains("retry_client_frame=2"), seen);
    }
}

#[test]
fn alerts_end_a_session_that_is_not_established() {
    let b = run(&[(Dir::Orig, client_hello(&[0x0303])), (Dir::Resp, record(21, &[2, 40]))]);
    check(&b, &["last_alert=handshake_failure", "established=false", "version=TLSv12"]);
    let mut b = bench();
    b.client(&client_hello(&[0x0303])).server(&record(21, &[1, 112]));
    assert_eq!(b.rows("tls").len(), 0);
    b.server(&server_hello_12()).close();
    check(&b, &["last_alert=unrecognized_name", "server_frame=3"]);
}

#[test]
fn published_fingerprints_come_out() {
    // The example of the JA4 documentation, with GREASE mixed in as its sender does.
    let ciphers = [
        0x3a3a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x9c, 0x9d,
        0x2f, 0x35,
    ];
    let signatures = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];
    let mut extensions = vec![name(b"a.example"), extension(13, &len16(&list(&signatures))), alpn(&[b"h2"])];
    extensions.push(extension(43, &len8(&list(&[0x4a4a, 0x0304, 0x0303]))));
    for kind in [0x1a1a, 0x1b, 0x33, 0x4469, 0x17, 0x2d, 0x5, 0x23, 0x12, 0xff01, 0x15] {
        extensions.push(extension(kind, &[]));
    }
    extensions.push(extension(10, &len16(&list(&[29]))));
    extensions.push(extension(11, &len8(&[0])));
    let body = hello_body(0x0303, &ciphers, &extensions);
    let hello = parse::client_hello(&body).unwrap();
    assert!(!hello.broken);
    assert_eq!(super::fingerprint::ja4(&hello), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    // The example of the JA3 documentation.
    let extensions = [extension(0, &[]), extension(10, &len16(&list(&[23, 24, 25]))), extension(11, &len8(&[0]))];
    let body = hello_body(769, &[47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4], &extensions);
    let hello = parse::client_hello(&body).unwrap();
    assert_eq!(super::fingerprint::ja3(&hello), "ada70206e40642a3e4461f35503241d5");
    let hello = parse::ServerHello {
        version: 769,
        cipher: 47,
        extensions: vec![65281, 0, 11, 35, 5, 16],
        ..Default::default()
    };
    assert_eq!(super::fingerprint::ja3s(&hello), "836ce314215654b5b1f85f97c73e506f");
}

#[test]
fn ja4_of_odd_hellos() {
    let cases: &[(&[u8], &str)] = &[
        (b"h", "t12i0000hh"),
        (b"http/1.1", "t12i0000h1"),
        (b"\xab", "t12i0000ab"),
        (b"\xab\xcd", "t12i0000ad"),
        (b"0\xab", "t12i00003b"),
        (b"", "t12i000000"),
    ];
    for (alpn, expect) in cases {
        let hello = parse::ClientHello { version: 0x0303, alpns: vec![alpn], ..Default::default() };
        assert_eq!(super::fingerprint::ja4(&hello), format!("{expect}_000000000000_000000000000"));
    }
    let hello = parse::ClientHello { version: 0x0300, ciphers: vec![5; 120], ..Default::default() };
    assert!(super::fingerprint::ja4(&hello).starts_with("ts3i990000_"));
}

#[test]
fn names_of_all_string_types_are_text() {
    let check = |tag: u8, bytes: &[u8], expect: &str| {
        let read = super::certificate::certificate(&certificate_of(&[&attribute_as(tag, 3, bytes)])).unwrap();
        assert_eq!(read.subject, expect);
    };
    check(0x0c, "Zürich".as_bytes(), "CN=Zürich");
    check(0x14, b"Z\xfcrich", "CN=Zürich"); // TeletexString
    check(0x1e, &[0, b'Z', 0, 0xfc], "CN=Zü"); // BMPString
    check(0x1e, &[0xd8, 0, 0, b'a'], "CN=\u{fffd}a");
    check(0x04, &[0xfc], "CN=#fc");
}

#[test]
fn ssl2_hellos_are_read() {
    let hello = |version: u16| {
        let payload = [&[1][..], &version.to_be_bytes(), &[0, 3, 0, 0, 0, 16], &[1, 0, 0x80], &[7; 16]].concat();
        [&[0x80, payload.len() as u8][..], &payload].concat()
    };
    let cert = certificate();
    let answer = [&[4, 0, 1, 0, 2][..], &be16(cert.len()), &[0, 3, 0, 16], &cert, &[1, 0, 0x80], &[7; 16]].concat();
    let length = be16(answer.len() | 0x8000);
    let b = run(&[(Dir::Orig, hello(2)), (Dir::Resp, [&length[..], &answer].concat())]);
    check(&b, &["version=SSLv2", "cipher=SSL2_RC4_128_WITH_MD5", "serial=ABCD", "client_frame=1", "server_frame=2"]);
    assert!(!b.rows("tls")[0].contains("ja3"));
    let b = run(&[(Dir::Orig, hello(0x0301)), (Dir::Resp, server_hello_12())]);
    check(&b, &["version=TLSv12", "server_frame=2"]);
    assert_eq!(super::Tls::probe(&hello(0x0305), &hint()), Probe::No);
}

#[test]
fn one_sided_and_reversed_flows() {
    check(&run(&[(Dir::Resp, server_hello_12())]), &["version=TLSv12", "server_frame=1"]);
    let b = run(&[(Dir::Resp, client_hello(&[0x0303])), (Dir::Orig, server_hello_12())]);
    assert!(b.rows("tls")[0].starts_with("1 < "));
    check(&b, &["client_frame=1", "server_frame=2"]);
}

fn frameless(b: &Bench<Set>) -> Vec<String> {
    let row = |r: &String| r.split(' ').skip(1).filter(|w| !w.contains("_frame=")).collect::<Vec<_>>().join(" ");
    b.rows("tls").iter().map(row).collect()
}

#[test]
fn cuts_anywhere_give_the_same_row() {
    let parts = full_12();
    let whole = frameless(&run(&parts));
    for (i, (dir, bytes)) in parts.iter().enumerate() {
        for cut in 1..bytes.len() {
            let (a, z) = bytes.split_at(cut);
            let mut cut_up = parts.to_vec();
            cut_up.splice(i..=i, [(*dir, a.to_vec()), (*dir, z.to_vec())]);
            assert_eq!(frameless(&run(&cut_up)), whole, "part {i} cut at {cut}");
        }
    }
    // Every handshake byte in a record of its own.
    let single: Vec<u8> = client_hello(&[0x0304, 0x0303])[5..].iter().flat_map(|b| record(22, &[*b])).collect();
    let mut b = bench();
    b.client(&record(22, &client_hello(&[0x0304, 0x0303])[5..14])).client(&single[9 * 6..]);
    parts[1..].iter().for_each(|(dir, bytes)| send(&mut b, *dir, bytes));
    assert_eq!(frameless(&b), whole);
}

#[test]
fn gaps_lose_what_they_must() {
    let [hello, answer, finish, end] = full_12();
    // Inside the certificate: the hello stands, the rest of that side's handshake is not read, the session is still followed.
    let mut b = bench();
    let cut = server_hello_12().len() + 20;
    b.client(&hello.1).server(&answer.1[..cut]).gap(Dir::Resp, 100).server(&answer.1[cut + 100..]);
    b.client(&finish.1).server(&end.1).close();
    check(&b, &["cipher=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "established=true"]);
    assert!(!b.rows("tls")[0].contains("subject") && anomalies(&b).is_empty());
    // Over the end of a record: the next record is found.
    let mut b = bench();
    b.client(&hello.1).server(&answer.1[..cut]).gap(Dir::Resp, answer.1.len() as u64).server(&end.1);
    b.client(&finish.1).close();
    check(&b, &["server_frame=2", "established=true"]);
    assert_eq!(anomalies(&b), Vec::<&str>::new());
}

#[test]
fn long_messages_are_skipped_and_the_next_is_read() {
    for (size, expect) in [(1_000, &[][..]), (1_001, &["handshake_too_long"][..])] {
        let mut limits = Limits::default();
        limits.set(Limit::ParserBytes, 4_000);
        let mut b = bench().limits(limits);
        let long = message(22, &vec![0; size]);
        b.client(&client_hello(&[0x0303])).server(&server_hello_12());
        long.chunks(300).for_each(|c| _ = b.server(&record(22, c)));
        b.server(&certificates(&[&certificate()])).close();
        assert_eq!(anomalies(&b), expect);
        check(&b, &["serial=ABCD"]);
    }
}

#[test]
fn broken_records_and_messages_are_said() {
    let after_hello =
        |bytes: &[u8]| anomalies(&run(&[(Dir::Orig, client_hello(&[0x0303])), (Dir::Resp, bytes.to_vec())]));
    assert_eq!(after_hello(b"HTTP/1.1 400 Bad\r\n\r\n"), ["bad_record", "lost_position"]);
    assert_eq!(after_hello(&[22, 3, 3, 0x48, 0x01, 0]), ["bad_record", "lost_position"]);
    assert_eq!(after_hello(&handshake(99, &[])), ["bad_handshake_type"]);
    assert_eq!(after_hello(&handshake(2, &[3, 3])), ["bad_server_hello"]);
    assert_eq!(after_hello(&certificates(&[b"no certificate"])), ["bad_certificate"]);
    assert_eq!(after_hello(&handshake(11, &[0, 0, 9, 0, 0, 1, 1])), ["bad_certificate_list"]);
    let cut_extension = hello_body(0x0303, &[5], &[vec![0, 10, 0, 9, 1]]);
    assert_eq!(anomalies(&run(&[(Dir::Orig, handshake(1, &cut_extension))])), ["bad_extension"]);
}

#[test]
fn truncated_and_flipped_bytes_never_panic() {
    let parts = full_12();
    let run_small = |dir: Dir, index: usize, bad: &[u8]| {
        let mut b = bench().limits(Limits::scaled(100));
        parts[..index].iter().for_each(|(d, bytes)| send(&mut b, *d, bytes));
        send(&mut b, dir, bad);
        b.gap(dir, 7);
        parts[index + 1..].iter().for_each(|(d, bytes)| send(&mut b, *d, bytes));
        b.close();
        assert_eq!(b.panics(), 0);
    };
    for (i, (dir, bytes)) in parts.iter().enumerate() {
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let mut flipped = parts.to_vec();
            flipped[i] = (*dir, bad.clone());
            run(&flipped);
            run_small(*dir, i, &bad);
        }
        (0..bytes.len()).for_each(|cut| run_small(*dir, i, &bytes[..cut]));
    }
    let cert = certificate();
    for bit in 0..cert.len() * 8 {
        let mut bad = cert.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        super::certificate::certificate(&bad);
        super::certificate::certificate(&cert[..bit / 8]);
    }
}

fn hint() -> Hint {
    Hint { carrier: Carrier::Stream, src_port: 40_000, dst_port: 9, from_start: true }
}

#[test]
fn probes_are_strict() {
    let hello = client_hello(&[0x0304]);
    let cases: &[(&[u8], Probe)] = &[
        (&hello, Probe::Certain),
        (&server_hello_12(), Probe::Certain),
        (&hello[..10], Probe::Unsure),
        (&hello[..1], Probe::Unsure),
        (&record(21, &[2, 40]), Probe::Maybe),
        (&record(21, &[3, 40]), Probe::No),
        (&record(23, &[0; 40]), Probe::No),
        (&handshake(11, &[0; 40]), Probe::No),
        (&[22, 2, 1, 0, 4, 1, 0, 0, 0, 3, 3], Probe::No),
        (b"GET / HTTP/1.1\r\n\r\n", Probe::No),
        (b"\x80\x02", Probe::Unsure),
    ];
    for (head, expect) in cases {
        assert_eq!(super::Tls::probe(head, &hint()), *expect, "{}", head.escape_ascii());
    }
    let https = Hint { dst_port: 443, ..hint() };
    assert_eq!(super::Tls::probe(&record(23, &[0; 40]), &https), Probe::Certain);
}
