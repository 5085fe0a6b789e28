//! Tests of the DNS parser: whole exchanges in, rows out.

use gwcore::{Body, Limit, Limits};
use proto::testing::Bench;
use proto::{Carrier, Dir};

proto::protocols! {
    /// Only DNS.
    pub enum Set { Dns: super::Dns, }
}

const A: u16 = 1;
const QUERY: u16 = 0x0100;
const ANSWER: u16 = 0x8180;

/// A name on the wire.
fn name(text: &str) -> Vec<u8> {
    let labels = text.split('.').filter(|l| !l.is_empty());
    labels.flat_map(|l| [&[l.len() as u8], l.as_bytes()].concat()).chain([0]).collect()
}

fn header(id: u16, flags: u16, counts: [u16; 4]) -> Vec<u8> {
    [id, flags].into_iter().chain(counts).flat_map(u16::to_be_bytes).collect()
}

fn question(text: &str, qtype: u16) -> Vec<u8> {
    [name(text), qtype.to_be_bytes().to_vec(), vec![0, 1]].concat()
}

/// A record whose owner is the name of the first question.
fn record(kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u16).to_be_bytes();
    [&[0xc0, 12], &kind.to_be_bytes()[..], &[0, 1], &ttl.to_be_bytes(), &length, data].concat()
}

fn query(id: u16, text: &str, qtype: u16) -> Vec<u8> {
    [header(id, QUERY, [1, 0, 0, 0]), question(text, qtype)].concat()
}

fn answer(id: u16, text: &str, qtype: u16, records: &[Vec<u8>]) -> Vec<u8> {
    [header(id, ANSWER, [1, records.len() as u16, 0, 0]), question(text, qtype), records.concat()].concat()
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

fn udp() -> Bench<Set> {
    Bench::new(Carrier::Datagram, 53)
}

/// Some fields of every row, in the order asked for.
fn pick(bench: &Bench<Set>, fields: &[&str]) -> Vec<String> {
    let field = |row: &str, f: &str| {
        let at = row.find(&format!(" {f}=")).map(|at| at + f.len() + 2)?;
        let rest = &row[at..];
        // A value ends where the next `name=` begins.
        let end = rest.match_indices(' ').map(|(i, _)| i).find(|i| {
            let word = rest[i + 1..].split('=').next().unwrap_or_default();
            word.len() < rest.len() - i - 1 && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        });
        Some(rest[..end.unwrap_or(rest.len())].to_owned())
    };
    let line = |row: &String| {
        let head = row.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let values = fields.iter().map(|f| field(row, f).unwrap_or("-".into()));
        [head].into_iter().chain(values).collect::<Vec<_>>().join(" ")
    };
    bench.rows("dns").iter().map(line).collect()
}

/// The text, and all data, that one answer record of a type gives.
fn check_rdata(kind: u16, data: &[u8], text: &str, all: &str) {
    let mut bench = udp();
    bench.server(&answer(7, "a.eu", kind, &[record(kind, 60, data)])).close();
    let row = bench.rows("dns").concat();
    assert!(row.contains(&format!(" answers=[{text}] ttls=")), "type {kind}: {row}");
    assert!(row.contains(&format!(" answer_rdata=[{all}] auth=")), "type {kind}: {row}");
    assert!(bench.rows("anomaly").is_empty(), "{:?}", bench.rows("anomaly"));
}

fn check_bad_rdata(kind: u16, data: &[u8]) {
    let mut bench = udp();
    bench.server(&answer(7, "a.eu", kind, &[record(kind, 60, data)])).close();
    assert_eq!(bench.rows("dns").len(), 1);
    assert_eq!(bench.rows("anomaly").len(), 1, "type {kind} {data:02x?}");
    assert!(bench.rows("anomaly")[0].contains("reason=bad_rdata"), "{:?}", bench.rows("anomaly"));
}

#[test]
fn a_query_and_its_response_are_one_row() {
    let mut bench = udp();
    bench.client(&query(0x1234, "WWW.Example.com", A));
    assert!(bench.rows("dns").is_empty(), "the response is still to come");
    bench.server(&answer(0x1234, "WWW.Example.com", A, &[record(5, 300, b"\xc0\x10"), record(A, 60, &[192, 0, 2, 1])]));
    let row = "1 > proto_variant=dns trans_id=4660 query_frame=1 response_frame=2 rtt=1000000ns query=WWW.Example.com qclass=1 \
               qclass_name=C_INTERNET qtype=1 qtype_name=A rcode=0 rcode_name=NOERROR opcode=0 opcode_name=query aa=false tc=false \
               rd=true ra=true z=0 query_flags=256 response_flags=33152 rejected=false total_questions=1 num_queries=1 num_answers=2 \
               num_authorities=0 num_additionals=0 answers=[Example.com,192.0.2.1] ttls=[300,60] \
               answer_names=[WWW.Example.com,WWW.Example.com] answer_types=[5,1] answer_rdata=[,] auth=[] auth_ttls=[] auth_names=[] \
               auth_types=[] auth_rdata=[] addl=[] addl_ttls=[] addl_names=[] addl_types=[] addl_rdata=[]";
    assert_eq!(bench.rows("dns"), [row]);
    bench.close();
    assert_eq!(bench.rows("dns").len(), 1);
    let names = bench.facts().iter().filter_map(|f| match &f.body {
        Body::Name { addr, name, source, .. } => Some(format!("{addr} {name} {source}")),
        Body::Role(role) => Some(role.to_string()),
        _ => None,
    });
    assert_eq!(names.collect::<Vec<_>>(), ["dns_server", "192.0.2.1 WWW.Example.com dns"]);
}

#[test]
fn addresses_and_names() {
    check_rdata(1, &[192, 0, 2, 1], "192.0.2.1", "");
    check_rdata(28, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "2001:db8::1", "");
    check_rdata(1, &[], "", "");
    check_rdata(5, b"\x03www\xc0\x0c", "www.a.eu", "");
    check_rdata(2, b"\x02ns\x02eu\0", "ns.eu", "");
    check_rdata(12, b"\0", ".", "");
    check_rdata(39, b"\x01b\0", "b", "");
    check_rdata(15, b"\0\x0a\x02mx\xc0\x0c", "mx.a.eu", "10 mx.a.eu");
    check_rdata(33, b"\0\x05\0\x06\x13\xc4\x03sip\xc0\x0c", "sip.a.eu", "5 6 5060 sip.a.eu");
    let soa = b"\x01m\xc0\x0c\x01r\xc0\x0c\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05";
    check_rdata(6, soa, "m.a.eu", "m.a.eu r.a.eu 1 2 3 4 5");
    check_bad_rdata(1, &[1, 2, 3]);
    check_bad_rdata(1, &[1, 2, 3, 4, 5]);
    check_bad_rdata(28, &[0; 15]);
    check_bad_rdata(5, b"\x01b\0x");
    check_bad_rdata(5, b"\x01b");
    check_bad_rdata(15, b"\0");
    check_bad_rdata(33, b"\0\x05\0\x06\x13");
    check_bad_rdata(6, &soa[..soa.len() - 1]);
}

#[test]
fn texts() {
    check_rdata(16, b"\x05hello", "TXT 5 hello", "");
    check_rdata(16, b"\x05hello\x03a b\0", "TXT 5 hello TXT 3 a b TXT 0 ", "");
    check_rdata(16, b"\x02\xff\x07", "TXT 2 \\xff\u{7}", "");
    check_rdata(99, b"\x06v=spf1", "SPF 6 v=spf1", "");
    check_rdata(13, b"\x03x86\x05linux", "HINFO x86 linux", "");
    check_rdata(257, b"\0\x05issuea.eu", "CAA 0 issue a.eu", "");
    check_rdata(35, b"\0\x01\0\x02\x01s\x07SIP+D2U\0\x01b\0", "NAPTR 1 2 \"s\" \"SIP+D2U\" \"\" b", "");
    check_rdata(11, &[192, 0, 2, 1, 6, 0x80], "", "c00002010680");
    check_rdata(10, b"\x01\xfe", "<unknown type=10>", "01fe");
    check_rdata(65_000, &[7; 300], "<unknown type=65000>", &"07".repeat(256));
    check_bad_rdata(16, b"\x05hell");
    check_bad_rdata(13, b"\x03x86");
    check_bad_rdata(257, b"\0\x06issue");
    check_bad_rdata(35, b"\0\x01\0\x02\x01s\x07SIP+D2U\0\x01b");
    check_bad_rdata(29, b"\0\0\0");
}

#[test]
fn keys_signatures_and_services() {
    check_rdata(43, b"\x12\x34\x08\x02\xab\xcd", "DS 8 2", "4660 8 2 abcd");
    check_rdata(48, b"\x01\x01\x03\x0d\xab", "DNSKEY 13", "257 3 13 ab");
    check_rdata(
        46,
        b"\0\x01\x0d\x02\0\0\0\x3c\0\0\0\x02\0\0\0\x01\x12\x34\x02eu\0\xff",
        "RRSIG 1 eu",
        "1 13 2 60 2 1 4660 eu",
    );
    check_rdata(47, b"\x01b\0\0\x01\x40", "NSEC a.eu b", "");
    check_rdata(50, b"\x01\0", "NSEC3", "");
    check_rdata(51, b"\x01\0", "NSEC3PARAM", "");
    check_rdata(44, b"\x01\x02\xab\xcd", "SSHFP: abcd", "1 2 abcd");
    check_rdata(52, b"\x03\x01\x01\xab", "TLSA 3 1 1 ab", "");
    check_rdata(
        29,
        b"\0\x12\x16\x13\x80\0\0\0\x80\0\0\0\0\x98\x96\x80",
        "LOC:  18 22 19",
        "00121613800000008000000000989680",
    );
    check_rdata(64, b"\0\x00\x03svc\0", "SVCB 0 svc", "");
    let https = b"\0\x01\0\0\x01\0\x06\x02h2\x02h3\0\x02\0\0\0\x03\0\x02\x20\xfb\0\x04\0\x08\xc0\0\x02\x01\xc0\0\x02\x02\x03\xe7\0\x01\x2a";
    check_rdata(65, https, "HTTPS 1 . alpn=h2,h3 no-default-alpn port=8443 ipv4hint=192.0.2.1,192.0.2.2 key999=2a", "");
    check_rdata(250, b"\x04hmac\0\0\0", "TSIG hmac", "");
    check_bad_rdata(43, b"\x12\x34\x08");
    check_bad_rdata(46, b"\0\x01\x0d\x02\0\0\0\x3c\0\0\0\x02\0\0\0\x01\x12\x34\x02eu");
    check_bad_rdata(64, b"\0");
    check_bad_rdata(65, b"\0\x01\0\0\x01\0\x06\x02h2");
    check_bad_rdata(65, b"\0\x01\0\0\x04\0\x03\xc0\0\x02");
}

#[test]
fn edns_and_the_extended_response_code() {
    let opt = |high: u8| vec![0, 0, 41, 0x04, 0xd0, high, 0, 0x80, 0, 0, 0];
    let ask = [header(1, 0x0120, [1, 0, 0, 1]), question("a.eu", A), opt(0)].concat();
    let refuse = [header(1, 0x8580, [1, 0, 0, 1]), question("a.eu", A), opt(1)].concat();
    let mut bench = udp();
    bench.client(&ask).server(&refuse);
    let fields = [
        "edns_version",
        "edns_udp_size",
        "edns_do",
        "rcode",
        "rcode_name",
        "extended_rcode",
        "aa",
        "z",
        "num_additionals",
        "addl_types",
    ];
    assert_eq!(pick(&bench, &fields), ["1 > 0 1232 true 0 BADVERS 16 true 2 1 []"]);
}

#[test]
fn responses_find_their_query_by_side_id_and_question() {
    let mut bench = udp();
    // The same id twice, answered out of order; a repeated query; an answer to nothing.
    bench.client(&query(9, "a.eu", A)).client(&query(9, "a.eu", 28)).client(&query(9, "a.eu", A));
    bench.server(&answer(9, "A.EU", 28, &[])).server(&answer(9, "a.eu", A, &[])).server(&answer(8, "b.eu", A, &[]));
    assert_eq!(pick(&bench, &["response_frame", "qtype"]), ["2 > 4 28", "1 > 5 1"]);
    bench.close();
    assert_eq!(
        pick(&bench, &["query_frame", "response_frame", "query", "rcode"])[2..],
        ["3 > 3 - a.eu -", "6 > - 6 b.eu 0"],
    );
    assert!(bench.rows("anomaly").is_empty());
}

#[test]
fn an_answer_to_another_question_is_an_anomaly() {
    let mut bench = udp();
    bench.client(&query(9, "a.eu", A)).server(&answer(9, "b.eu", A, &[]));
    assert_eq!(pick(&bench, &["query", "query_frame", "response_frame"]), ["1 > a.eu 1 2"]);
    assert_eq!(bench.rows("anomaly"), ["2 < proto=dns reason=question_mismatch detail=b.eu count=1"]);
}

#[test]
fn a_response_before_its_query_waits_for_it() {
    let mut bench = udp();
    bench.server(&answer(9, "a.eu", A, &[])).client(&query(9, "a.eu", A));
    assert_eq!(pick(&bench, &["query_frame", "response_frame", "rtt"]), ["2 > 2 1 -"]);
}

#[test]
fn what_stays_alone_is_written_after_half_a_minute_and_at_the_end() {
    let second = 1_000_000_000;
    let mut bench = udp();
    bench.client(&query(1, "a.eu", A)).wait(29 * second);
    assert!(bench.rows("dns").is_empty());
    bench.client(&query(2, "b.eu", A)).wait(second);
    assert_eq!(pick(&bench, &["trans_id", "response_frame"]), ["1 > 1 -"]);
    bench.wait(30 * second).server(&answer(3, "c.eu", A, &[])).wait(30 * second);
    assert_eq!(pick(&bench, &["trans_id"]), ["1 > 1", "2 > 2", "5 > 3"]);
}

#[test]
fn waiting_messages_are_bounded() {
    let mut limits = Limits::default();
    limits.set(Limit::Pending, 3);
    let mut bench = udp().limits(limits);
    for id in 1..=3 {
        bench.client(&query(id, "a.eu", A));
    }
    assert!(bench.rows("dns").is_empty());
    bench.client(&query(4, "a.eu", A));
    assert_eq!(pick(&bench, &["trans_id"]), ["1 > 1"]);
    // Of responses that nobody asked for one is kept.
    bench.server(&answer(70, "a.eu", A, &[]));
    assert_eq!(bench.rows("dns").len(), 1);
    bench.server(&answer(71, "a.eu", A, &[]));
    assert_eq!(pick(&bench, &["trans_id"]), ["1 > 1", "5 > 70"]);
    bench.close();
    assert_eq!(pick(&bench, &["trans_id"])[2..], ["2 > 2", "3 > 3", "4 > 4", "6 > 71"]);
}

#[test]
fn rejection_errors_and_missing_questions() {
    let mut bench = udp();
    bench.client(&query(1, "a.eu", A)).server(&[header(1, 0x8183, [1, 0, 0, 0]), question("a.eu", A)].concat());
    bench.client(&query(2, "a.eu", A)).server(&header(2, 0x8181, [0; 4]));
    bench.client(&query(3, "a.eu", A)).server(&answer(3, "a.eu", A, &[record(A, 1, &[1; 4])]));
    let rows = pick(&bench, &["rcode_name", "rejected", "num_queries", "total_questions"]);
    assert_eq!(rows, ["1 > NXDOMAIN true 1 1", "3 > FORMERR true 0 1", "5 > NOERROR false 1 1"]);
}

#[test]
fn updates_and_notifications() {
    let mut bench = udp();
    let zone = question("a.eu", 6);
    let update = [header(5, 0x2800, [1, 0, 1, 0]), zone.clone(), record(A, 60, &[192, 0, 2, 9])].concat();
    bench.client(&update).server(&[header(5, 0xa800, [1, 0, 0, 0]), zone.clone()].concat());
    bench.client(&[header(6, 0x2400, [1, 0, 0, 0]), zone].concat()).close();
    let rows = pick(&bench, &["opcode_name", "auth", "auth_names", "answers", "qtype_name"]);
    assert_eq!(rows, ["1 > dynamic-update [192.0.2.9] [a.eu] [] SOA", "3 > notify [] [] [] SOA"]);
}

#[test]
fn multicast_messages_stand_alone() {
    let mut bench = Bench::<Set>::new(Carrier::Datagram, 5353);
    let ask = [header(0, 0, [2, 0, 0, 0]), name("relay.local"), vec![0, 1, 0x80, 1], question("b.local", A)].concat();
    let owner = [name("relay.local"), vec![0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 192, 0, 2, 7]].concat();
    let tell = [header(0, 0x8400, [0, 1, 0, 1]), owner.clone(), owner].concat();
    bench.client(&ask).client(&tell);
    let rows = pick(
        &bench,
        &["proto_variant", "query", "qclass", "total_questions", "query_frame", "response_frame", "answers", "addl"],
    );
    assert_eq!(rows, ["1 > mdns relay.local 1 2 1 - [] []", "2 > mdns relay.local - 0 - 2 [192.0.2.7] [192.0.2.7]"]);
    let names = bench.facts().iter().filter(|f| matches!(&f.body, Body::Name { source: "mdns", .. }));
    assert_eq!(names.count(), 2);
    bench.close();
    assert_eq!(bench.rows("dns").len(), 2);

    let mut bench = Bench::<Set>::new(Carrier::Datagram, 5355);
    bench.client(&query(3, "pc7", A)).server(&answer(3, "pc7", A, &[record(A, 30, &[192, 0, 2, 8])]));
    assert_eq!(pick(&bench, &["proto_variant", "query_frame", "response_frame"]), ["1 > llmnr 1 -", "2 < llmnr - 2"]);
}

#[test]
fn a_stream_split_anywhere_gives_the_same_rows() {
    let asks = [framed(&query(1, "a.eu", A)), framed(&query(2, "b.eu", 16))].concat();
    let tells =
        [framed(&answer(2, "b.eu", 16, &[record(16, 5, b"\x02hi")])), framed(&answer(1, "a.eu", A, &[]))].concat();
    let fields = ["trans_id", "query", "answers", "rcode"];
    let expect = ["2 b.eu [TXT 2 hi] 0", "1 a.eu [] 0"];
    for at in 0..asks.len().max(tells.len()) {
        let mut bench = Bench::<Set>::new(Carrier::Stream, 53);
        let (a, b) = asks.split_at(at.min(asks.len()));
        let (c, d) = tells.split_at(at.min(tells.len()));
        bench.client(a).client(b).server(c).server(d).close();
        let rows = pick(&bench, &fields).iter().map(|r| r.split_once("> ").unwrap().1.to_owned()).collect::<Vec<_>>();
        assert_eq!(rows, expect, "split at {at}");
        assert!(bench.rows("anomaly").is_empty());
    }
    let mut bench = Bench::<Set>::new(Carrier::Stream, 53);
    asks.iter().for_each(|b| _ = bench.client(&[*b]));
    tells.iter().for_each(|b| _ = bench.server(&[*b]));
    assert_eq!(pick(&bench, &["trans_id"]).len(), 2);
}

#[test]
fn a_stream_finds_its_way_after_a_gap() {
    let mut bench = Bench::<Set>::new(Carrier::Stream, 53);
    bench.client(&framed(&query(1, "a.eu", A))).gap(Dir::Orig, 100).client(&framed(&query(2, "b.eu", A))).close();
    assert_eq!(pick(&bench, &["trans_id"]), ["1 > 1", "3 > 2"]);
}

#[test]
fn broken_messages_give_what_was_understood_and_a_reason() {
    let whole = [query(4, "a.eu", A), vec![0; 3]].concat();
    let mut bench = udp();
    bench.client(&whole).client(b"\0\x01\0").client(&query(4, "a.eu", A)[..16]);
    bench.server(&answer(5, "a.eu", A, &[record(A, 1, &[1; 4])])[..30]).close();
    let reasons = bench.rows("anomaly");
    let reason =
        |row: &String| row.split("reason=").nth(1).and_then(|r| r.split(' ').next()).unwrap_or_default().to_owned();
    assert_eq!(
        reasons.iter().map(reason).collect::<Vec<_>>(),
        ["trailing_bytes", "short_message", "truncated_name", "truncated_record"]
    );
    assert_eq!(pick(&bench, &["query", "num_answers", "answers"]), ["1 > a.eu 0 []", "3 > - 0 []", "4 > a.eu 1 []"]);
}

#[test]
fn a_loop_of_pointers_ends() {
    let loops =
        [header(1, ANSWER, [1, 1, 0, 0]), question("a.eu", A), vec![0xc0, 22, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    let mut bench = udp();
    bench.server(&loops).close();
    assert_eq!(bench.rows("anomaly"), ["1 < proto=dns reason=bad_pointer detail=a.eu count=1"]);
    assert_eq!(pick(&bench, &["query", "answers"]), ["1 > a.eu []"]);
}

#[test]
fn no_damage_makes_it_panic() {
    let sample = answer(
        1,
        "www.a.eu",
        33,
        &[record(33, 9, b"\0\x05\0\x06\x13\xc4\x03sip\xc0\x0c"), record(65, 9, b"\0\x01\0\0\x01\0\x03\x02h2")],
    );
    for at in 0..sample.len() {
        for bit in 0..8 {
            let mut damaged = sample.clone();
            damaged[at] ^= 1 << bit;
            let mut bench = udp();
            bench.client(&query(1, "www.a.eu", 33)).server(&damaged).close();
            assert_eq!(bench.panics(), 0, "byte {at} bit {bit}");
            assert!(!bench.rows("dns").is_empty());
        }
        let mut bench = udp();
        bench.client(&query(1, "www.a.eu", 33)).server(&sample[..at]).close();
        assert_eq!(bench.panics(), 0, "cut at {at}");
    }
}

fn check_probe(carrier: Carrier, port: u16, first: &[u8], service: &str) {
    let mut bench = Bench::<Set>::new(carrier, port);
    bench.client(first);
    assert_eq!(bench.service(), service, "port {port} {first:02x?}");
}

#[test]
fn recognised_by_content_and_not_by_mistake() {
    let ask = query(1, "a.eu", A);
    check_probe(Carrier::Datagram, 53, &ask, "dns");
    check_probe(Carrier::Datagram, 8053, &ask, "dns");
    check_probe(Carrier::Stream, 8053, &framed(&ask), "dns");
    check_probe(Carrier::Datagram, 53, &header(2, 0x8181, [0; 4]), "dns");
    // Near misses: zeroes, NetBIOS, an unknown type elsewhere, a reserved bit, an error in a query, counts beyond the length, trailing bytes.
    check_probe(Carrier::Datagram, 8053, &[0; 12], "");
    check_probe(Carrier::Datagram, 53, &[0; 12], "");
    check_probe(Carrier::Datagram, 137, &ask, "");
    check_probe(Carrier::Datagram, 8053, &query(1, "a.eu", 54), "");
    check_probe(Carrier::Datagram, 53, &[header(1, 0x0140, [1, 0, 0, 0]), question("a.eu", A)].concat(), "");
    check_probe(Carrier::Datagram, 53, &[header(1, 0x0105, [1, 0, 0, 0]), question("a.eu", A)].concat(), "");
    // Operation 9 is not assigned: a scanner's question, where questions are expected.
    let unassigned = |questions| [header(1, 0x4900, [questions, 0, 0, 0]), question("a.eu", A)].concat();
    check_probe(Carrier::Datagram, 53, &unassigned(1), "dns");
    check_probe(Carrier::Datagram, 53, &unassigned(2), "");
    check_probe(Carrier::Datagram, 8053, &unassigned(1), "");
    check_probe(Carrier::Datagram, 8053, &[header(1, ANSWER, [1, 9, 0, 0]), question("a.eu", A)].concat(), "");
    check_probe(Carrier::Datagram, 8053, &[ask.clone(), vec![0]].concat(), "");
    // A question that is broken on the registered port is told, not passed over.
    for broken in [&b"\xc0\x0c\0\x01\0\x01"[..], b"\x07abc", b"\x40a", b"\x03www\0", b""] {
        check_probe(Carrier::Datagram, 53, &[&header(1, 0x0100, [1, 0, 0, 0]), broken].concat(), "dns");
        check_probe(Carrier::Datagram, 8053, &[&header(1, 0x0100, [1, 0, 0, 0]), broken].concat(), "");
        check_probe(Carrier::Datagram, 53, &[&header(1, 0x0100, [3, 0, 0, 0]), broken].concat(), "");
    }
    check_probe(Carrier::Stream, 53, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "");
    check_probe(Carrier::Stream, 53, b"\0\x05hello", "");
}

#[test]
fn a_flow_picked_up_at_a_response_is_served_by_its_originator() {
    let mut bench = udp();
    bench.client(&answer(1, "a.eu", A, &[])).close();
    assert_eq!(pick(&bench, &["response_frame"]), ["1 < 1"], "the row is the client's");
    let served =
        bench.facts().iter().any(|f| matches!(f.body, Body::Service { proto: "dns", server_is_responder: false }));
    assert!(served, "{:?}", bench.facts());
}

#[test]
fn records_beyond_the_limit_are_read_not_kept() {
    let rows = |n: usize| {
        let mut bench = Bench::<Set>::new(Carrier::Stream, 53);
        bench.server(&framed(&answer(1, "a.eu", A, &vec![record(A, 1, &[10, 0, 0, 1]); n]))).close();
        assert!(bench.rows("anomaly").is_empty());
        let names = bench.facts().iter().filter(|f| matches!(f.body, Body::Name { .. })).count();
        (pick(&bench, &["num_answers", "ttls"])[0].split(',').count(), names)
    };
    assert_eq!((rows(64), rows(65)), ((64, 64), (65, 64)));
    assert_eq!((rows(2048), rows(2049)), ((2048, 64), (2048, 64)));
}
