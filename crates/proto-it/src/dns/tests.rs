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
    assert_eq!(pick(&bench, &["answers", "answer_rdata"]), [format!("1 > [{text}] [{all}]")], "type {kind}");
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
