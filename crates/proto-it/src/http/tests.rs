//! Tests of the HTTP parser: whole exchanges in, rows out; every cut, gap, limit and ambiguity that changes what is said.

use std::io::Write;

use flate2::{Compression, write::GzEncoder, write::ZlibEncoder};
use gwcore::{Body, Limit, Limits};
use proto::testing::Bench;
use proto::{Carrier, Dir, Hint, Parser, Probe};

proto::protocols! {
    /// HTTP alone.
    pub enum Set { Http: super::Http, }
}

const GET: &[u8] = b"GET /a?x=1 HTTP/1.1\r\nHost: rtu.example:8080\r\nUser-Agent: curl/8\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello";
const SHA256: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

fn bench() -> Bench<Set> {
    Bench::new(Carrier::Stream, 80)
}

fn rows(parts: &[(Dir, &[u8])]) -> Vec<String> {
    let mut b = bench();
    for (dir, bytes) in parts {
        if *dir == Dir::Orig {
            b.client(bytes)
        } else {
            b.server(bytes)
        };
    }
    b.close();
    assert_eq!(b.panics(), 0);
    b.rows("http")
}

fn exchange(request: &[u8], response: &[u8]) -> Vec<String> {
    rows(&[(Dir::Orig, request), (Dir::Resp, response)])
}

/// Every expected piece stands in the row.
#[track_caller]
fn check(row: &str, expect: &[&str]) {
    for piece in expect {
        assert!(format!("{row} ").contains(&format!(" {piece} ")), "`{piece}` is not in `{row}`");
    }
}

#[track_caller]
fn check_anomalies(request: &[u8], response: &[u8], expect: &[&str]) {
    let mut b = bench();
    b.client(request);
    if !response.is_empty() {
        b.server(response);
    }
    b.close();
    let names: Vec<_> = b
        .facts()
        .iter()
        .filter_map(|f| if let Body::Anomaly { reason, .. } = f.body { Some(reason) } else { None })
        .collect();
    assert_eq!(names, expect);
}

#[test]
fn an_exchange_is_one_row() {
    let row = exchange(GET, OK).concat();
    check(
        &row,
        &["method=GET", "host=rtu.example:8080", "uri=/a?x=1", "user_agent=curl/8", "version=1.1", "status_code=200"],
    );
    check(
        &row,
        &["status_msg=OK", "response_body_len=5", "server=nginx", "resp_mime_types=[text/plain]", "trans_depth=1"],
    );
    check(&row, &[&format!("resp_sha256={SHA256}"), "resp_md5=5d41402abc4b2a76b9719d911017c592"]);
    check(&row, &["resp_sha1=aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d", "response_time=1000000ns"]);
    check(&row, &["request_frame=1", "request_end_frame=1", "response_frame=2", "response_end_frame=2"]);
    check(&row, &["client_header_names=[Host,User-Agent]", "server_header_names=[Server,Content-Length,Content-Type]"]);
    assert!(row.starts_with("1 > "));
}

#[test]
fn pipelined_requests_meet_their_responses_in_order() {
    let head = b"HEAD /b HTTP/1.1\r\n\r\n";
    let responses =
        [OK, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]
            .concat();
    let got = exchange(&[GET, head, b"GET /c HTTP/1.1\r\n\r\n"].concat(), &responses);
    assert_eq!(got.len(), 3);
    check(&got[1], &["method=HEAD", "status_code=200", "response_body_len=0"]);
    check(&got[2], &["uri=/c", "status_code=404", "trans_depth=3"]);
}

#[test]
fn chunks_are_joined_and_trailers_passed_over() {
    let body = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n003\r\nllo\r\n0\r\nX-T: 1\r\n\r\n";
    let got = exchange(&[GET, GET].concat(), &[body, OK].concat());
    assert_eq!(got.len(), 2);
    check(&got[0], &["response_body_len=5", &format!("resp_sha256={SHA256}")]);
    check(&got[1], &["response_body_len=5", "trans_depth=2"]);
}

#[test]
fn interim_responses_and_bodiless_codes() {
    let post = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    let parts: &[(Dir, &[u8])] =
        &[(Dir::Orig, post), (Dir::Resp, b"HTTP/1.1 100 Continue\r\n\r\n"), (Dir::Orig, b"hello"), (Dir::Resp, OK)];
    let row = rows(parts).concat();
    check(&row, &["info_code=100", "info_msg=Continue", "info_frame=2", "request_frame=1", "request_end_frame=3"]);
    check(&row, &["status_code=200", "request_body_len=5", &format!("orig_sha256={SHA256}")]);
    for code in ["204 No", "304 Not"] {
        let first = format!("HTTP/1.1 {code}\r\nContent-Length: 7\r\n\r\n");
        assert_eq!(exchange(&[GET, GET].concat(), &[first.as_bytes(), OK].concat()).len(), 2);
    }
}

#[test]
fn a_body_may_end_with_the_stream() {
    let row = exchange(GET, b"HTTP/1.0 200 OK\r\n\r\nhello").concat();
    check(&row, &["version=1.0", "response_body_len=5", &format!("resp_sha256={SHA256}"), "response_frame=2"]);
    assert!(!row.contains("response_end_frame"));
    let row = exchange(b"GET /old\r\n", b"<html>x").concat();
    check(&row, &["version=0.9", "uri=/old", "response_body_len=7", "resp_mime_types=[text/html]"]);
}

fn coded(coding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut e = GzEncoder::new(Vec::new(), Compression::default());
    e.write_all(body).unwrap();
    e.finish().unwrap()
}

#[test]
fn content_codings_are_undone_before_hashing() {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(b"hello").unwrap();
    let zlib = zlib.finish().unwrap();
    // Raw deflate: what zlib wraps in two bytes before and four after.
    let raw = &zlib[2..zlib.len() - 4];
    let brotli = b"\x0b\x02\x80hello\x03";
    for (coding, body) in [("gzip", gzip(b"hello").as_slice()), ("deflate", &zlib), ("deflate", raw), ("br", brotli)] {
        let row = exchange(GET, &coded(coding, body)).concat();
        check(&row, &["response_body_len=5", &format!("resp_sha256={SHA256}"), "resp_mime_types=[text/plain]"]);
    }
    check_anomalies(GET, &coded("gzip", b"no gzip at all"), &["bad_content_coding"]);
    let row = exchange(GET, &coded("gzip", &gzip(b"hello")[..12])).concat();
    assert!(!row.contains("resp_sha256"), "{row}");
}

#[test]
fn inflation_stops_at_its_limit() {
    for (size, within) in [(1_000, true), (1_001, false), (10_000_000, false)] {
        let mut limits = Limits::default();
        limits.set(Limit::InflatedBytes, 1_000);
        let mut b = bench().limits(limits);
        b.client(GET).server(&coded("gzip", &gzip(&vec![b'a'; size]))).client(GET).server(OK).close();
        let got = b.rows("http");
        check(&got[0], &["response_body_len=1000"]);
        assert_eq!(got[0].contains("resp_sha256"), within, "{size}");
        check(&got[1], &[&format!("resp_sha256={SHA256}")]);
    }
}

#[test]
fn connect_and_upgrade_end_the_reading() {
    let connect = b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n";
    let upgrade = b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    let switched = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x05hello";
    let established = b"HTTP/1.1 200 Connection established\r\n\r\n";
    for (request, response) in [(&connect[..], &established[..]), (upgrade, switched)] {
        let mut b = bench();
        b.client(request).server(response).client(b"\x16\x03\x01 GET / HTTP/1.1\r\n\r\n").gap(Dir::Resp, 9).close();
        assert_eq!((b.rows("http").len(), b.rows("anomaly").len()), (1, 0));
    }
    let refused = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(exchange(&[connect, GET].concat(), &[refused, OK].concat()).len(), 2);
}

#[test]
fn what_follows_connect_is_read_as_if_the_stream_began_there() {
    let connect = b"CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n";
    let established = b"HTTP/1.1 200 Connection established\r\n\r\n";
    for cut in 1..GET.len() {
        let (a, b) = GET.split_at(cut);
        let told =
            rows(&[(Dir::Orig, connect), (Dir::Resp, established), (Dir::Orig, a), (Dir::Orig, b), (Dir::Resp, OK)]);
        assert_eq!(told.len(), 2, "{cut}");
        check(&told[0], &["trans_depth=1", "method=CONNECT", "status_code=200"]);
        check(&told[1], &["trans_depth=1", "method=GET", "uri=/a?x=1", "status_code=200"]);
    }
}

#[test]
fn exchanges_behind_a_proxy_that_nobody_reads() {
    let (greeting, choice) = (b"\x05\x01\x00", b"\x05\x00");
    let ask = b"\x05\x01\x00\x01\x0a\x00\x00\x09\x00\x50";
    let socks = [(Dir::Orig, &greeting[..]), (Dir::Resp, choice), (Dir::Orig, ask), (Dir::Resp, ask)];
    for cut in 1..GET.len() {
        let (a, b) = GET.split_at(cut);
        let told = rows(&[&socks[..], &[(Dir::Orig, a), (Dir::Orig, b), (Dir::Resp, OK)]].concat());
        assert_eq!(told.len(), 1, "{cut}");
        check(&told[0], &["method=GET", "status_code=200"]);
    }
    let inside = rows(&[(Dir::Orig, b"\x05\x01\x00 GET / HTTP/1.1\r\n\r\n"), (Dir::Resp, choice)]);
    assert!(inside.is_empty(), "it begins where a segment does");
    let unknown =
        |n: usize| rows(&[(Dir::Orig, &vec![0; n]), (Dir::Resp, choice), (Dir::Orig, GET), (Dir::Resp, OK)]).len();
    assert_eq!((unknown(2_047), unknown(2_048)), (1, 0), "nothing is looked for once the flow was given up");
}

#[test]
fn passwords_are_never_kept() {
    let request = b"POST http://op:s3cret@h/x?user=op&password=s3cret&y=2 HTTP/1.1\r\nHost: h\r\nAuthorization: Basic b3A6czNjcmV0\r\n\
        Referer: http://op:s3cret@h/\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 29\r\n\r\nusername=o%70+1&passwd=s3cret";
    let mut b = bench();
    b.client(request).server(b"HTTP/1.1 401 No\r\nLocation: /?pwd=s3cret\r\nContent-Length: 0\r\n\r\n").close();
    let row = b.rows("http").concat();
    check(&row, &["username=op", "uri=http://op:***@h/x?user=op&password=***&y=2", "location=/?pwd=***"]);
    assert!(!row.contains("s3cret"), "{row}");
    let mut logins = b.facts().iter().filter_map(|f| match &f.body {
        Body::Login { user, accepted, cleartext, .. } => Some((&**user, *accepted, *cleartext)),
        _ => None,
    });
    assert_eq!(logins.next(), Some(("op", Some(false), true)));
    assert_eq!(logins.next(), Some(("op 1", None, true)));
}

#[test]
fn names_and_software_are_facts_once() {
    let mut b = bench();
    b.client(GET).server(OK).client(GET).server(OK).close();
    let facts = b.facts().iter().filter_map(|f| match &f.body {
        Body::Name { name, source, .. } => Some((f.flow.reversed(), *source, &**name)),
        Body::Identity { field, value, .. } => Some((f.flow.reversed(), *field, &**value)),
        _ => None,
    });
    let facts: Vec<_> = facts.collect();
    assert_eq!(facts, [(false, "http", "rtu.example"), (false, "software", "curl/8"), (true, "software", "nginx")]);
    let mut b = bench();
    b.client(b"GET / HTTP/1.1\r\nHost: 10.0.0.2:80\r\n\r\n").close();
    assert!(!b.facts().iter().any(|f| matches!(f.body, Body::Name { .. })));
}

#[test]
fn ambiguous_framing_is_said() {
    let post = |fields: &str, rest: &str| format!("POST / HTTP/1.1\r\n{fields}\r\n{rest}");
    let cases: &[(&str, &str, &[&str])] = &[
        ("Content-Length: 2\r\nContent-Length: 2\r\n", "ab", &[]),
        ("Content-Length: 2, 2\r\n", "ab", &[]),
        ("Content-Length: 2\r\nContent-Length: 3\r\n", "ab", &["content_length_conflict"]),
        ("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", &["te_and_content_length"]),
        ("Content-Length: -2\r\n", "", &["bad_content_length"]),
        ("Content-Length: 18446744073709551616\r\n", "", &["bad_content_length"]),
        ("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n", &["bad_transfer_encoding"]),
        ("Transfer-Encoding: chunked\r\n", "10000000000000000\r\n", &["bad_chunk_size", "lost_position"]),
        ("Transfer-Encoding: chunked\r\n", "1\r\nabc", &["bad_chunk_end", "lost_position"]),
        ("Transfer-Encoding: chunked\r\n", "-1\r\n", &["bad_chunk_size", "lost_position"]),
        ("Content-Length : 2\r\n", "ab", &["space_before_colon"]),
        ("X: 1\r\n 2\r\n", "", &["folded_header"]),
        ("X\r\n", "", &["header_without_colon"]),
        ("X: 1\nY: 2\r\n", "", &["bare_lf"]),
        ("Content-Length: 3\r\n", "ab", &["truncated_body"]),
    ];
    for (fields, rest, expect) in cases {
        check_anomalies(post(fields, rest).as_bytes(), b"", expect);
    }
    for length in ["9223372036854775807", "9223372036854775808"] {
        let smuggling = post(&format!("Content-Length: {length}\r\n"), "GET /x HTTP/1.1\r\n\r\n");
        let swallowed = length.ends_with('7');
        assert_eq!(exchange(smuggling.as_bytes(), b"").len(), if swallowed { 1 } else { 2 });
    }
    for (line, uri) in [("GET / HTTP/1.", "/"), ("OPTIONS /HTTP/1.1", "/HTTP/1.1"), ("PUT HTTP/1.1", "HTTP/1.1")] {
        let request = [GET, format!("{line}\r\nHost: h\r\n\r\n").as_bytes()].concat();
        check(&exchange(&request, b"")[1], &[&format!("uri={uri}"), "host=h"]);
        check_anomalies(&request, b"", &["bad_request_version"]);
    }
    let lone = b"GET / HTTP/1.1\nHost: a\n\n";
    check_anomalies(lone, b"", &[]);
}

#[test]
fn heads_have_limits() {
    let many = |n: usize| [&b"GET / HTTP/1.1\r\n"[..], &b"A: 1\r\n".repeat(n), b"\r\n"].concat();
    check_anomalies(&many(100), b"", &[]);
    check_anomalies(&many(101), b"", &["too_many_headers"]);
    let long = |n: usize| [b"GET / HTTP/1.1\r\nA: ", &vec![b'a'; n - 23][..], b"\r\n\r\n"].concat();
    check_anomalies(&long(65_536), b"", &[]);
    check_anomalies(&long(65_537), b"", &["header_too_long", "lost_position"]);
    let mut b = bench();
    b.client(&long(70_000)).client(GET).close();
    let got = b.rows("http");
    check(&got[0], &["uri=/", "client_header_names=[]"]);
    check(&got[1], &["uri=/a?x=1"]);
}

#[test]
fn waiting_requests_are_bounded() {
    for (limit, first) in [(3, "trans_depth=1"), (2, "trans_depth=2")] {
        let mut limits = Limits::default();
        limits.set(Limit::Pending, limit);
        let mut b = bench().limits(limits);
        b.client(&GET.repeat(3)).server(OK).close();
        let got = b.rows("http");
        assert_eq!(got.len(), 3);
        let answered: Vec<_> = got.iter().filter(|r| r.contains("status_code")).collect();
        check(answered[0], &[first]);
    }
}

#[test]
fn gaps_inside_a_body_lose_nothing_else() {
    let mut b = bench();
    b.client(GET).server(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello").gap(Dir::Resp, 90).server(b"world");
    b.client(GET).server(OK).close();
    let got = b.rows("http");
    check(&got[0], &["response_body_len=10"]);
    assert!(!got[0].contains("resp_sha256"));
    check(&got[1], &["status_code=200", &format!("resp_sha256={SHA256}")]);
    assert!(b.rows("anomaly").is_empty());
    // A gap past the end of the body: the next message is found again, and a later request has the next response.
    let mut b = bench();
    b.client(GET)
        .server(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
        .gap(Dir::Resp, 96)
        .server(b"rest of a head\r\n\r\n");
    b.client(b"GET /later HTTP/1.1\r\n\r\n").server(OK).close();
    let got = b.rows("http");
    check(&got[1], &["uri=/later", "status_code=200"]);
    // Chunk data.
    let mut b = bench();
    b.client(GET).server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nab").gap(Dir::Resp, 14);
    b.server(b"\r\n0\r\n\r\n").client(GET).server(OK).close();
    assert_eq!(b.rows("http").len(), 2);
}

#[test]
fn a_lost_response_does_not_shift_the_others() {
    let mut b = bench();
    b.client(b"GET /1 HTTP/1.1\r\n\r\n").gap(Dir::Resp, 50).client(b"GET /2 HTTP/1.1\r\n\r\n").server(OK).close();
    let got = b.rows("http");
    assert!(got[0].contains("uri=/1") && !got[0].contains("status_code"));
    check(&got[1], &["uri=/2", "status_code=200"]);
}

#[test]
fn one_sided_and_reversed_flows() {
    let row = rows(&[(Dir::Resp, OK)]).concat();
    check(&row, &["status_code=200", "response_frame=1"]);
    assert!(!row.contains("method") && row.starts_with("1 > "));
    let row = rows(&[(Dir::Orig, GET)]).concat();
    check(&row, &["method=GET", "request_frame=1"]);
    let row = rows(&[(Dir::Resp, GET), (Dir::Orig, OK)]).concat();
    check(&row, &["method=GET", "status_code=200"]);
    assert!(row.starts_with("1 < "));
}

/// Rows without frames and times, which depend on the cut.
fn timeless(rows: Vec<String>) -> Vec<String> {
    let keep = |w: &&str| !w.contains("_frame=") && !w.starts_with("response_time=");
    rows.iter().map(|r| r.split(' ').skip(1).filter(keep).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn cuts_anywhere_give_the_same_rows() {
    let request = [GET, b"POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", GET].concat();
    let chunked =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: x\r\n\r\n5\r\nhello\r\n0\r\nT: 1\r\n\r\n";
    let response = [OK, chunked, &coded("gzip", &gzip(b"hello"))].concat();
    let whole = timeless(exchange(&request, &response));
    assert_eq!(whole.len(), 3);
    for cut in 1..request.len() {
        let (a, b) = request.split_at(cut);
        assert_eq!(
            timeless(rows(&[(Dir::Orig, a), (Dir::Orig, b), (Dir::Resp, &response)])),
            whole,
            "request cut at {cut}"
        );
    }
    for cut in 1..response.len() {
        let (a, b) = response.split_at(cut);
        assert_eq!(
            timeless(rows(&[(Dir::Orig, &request), (Dir::Resp, a), (Dir::Resp, b)])),
            whole,
            "response cut at {cut}"
        );
    }
    let mut b = bench();
    request.iter().for_each(|byte| _ = b.client(&[*byte]));
    response.iter().for_each(|byte| _ = b.server(&[*byte]));
    b.close();
    assert_eq!(timeless(b.rows("http")), whole);
}

#[test]
fn truncated_and_flipped_bytes_never_panic() {
    let response = [OK, &coded("gzip", &gzip(b"hello")), &coded("br", b"\x0b\x02\x80hello\x03")].concat();
    for cut in 0..response.len() {
        assert!(exchange(&GET.repeat(3), &response[..cut]).len() >= 3);
    }
    for i in 0..response.len() * 8 {
        let mut bad = response.clone();
        bad[i / 8] ^= 1 << (i % 8);
        exchange(&GET.repeat(3), &bad);
        let mut small = bench().limits(Limits::scaled(100));
        small.client(&GET.repeat(3)).server(&bad).gap(Dir::Resp, 3).server(&bad).close();
        assert_eq!(small.panics(), 0);
    }
    for i in 0..GET.len() * 8 {
        let mut bad = GET.to_vec();
        bad[i / 8] ^= 1 << (i % 8);
        exchange(&[&bad, GET].concat(), OK);
    }
}

#[test]
fn probes_are_strict() {
    let hint = |port| Hint { carrier: Carrier::Stream, src_port: 40_000, dst_port: port, from_start: true };
    let cases: &[(&[u8], u16, Probe)] = &[
        (GET, 1, Probe::Certain),
        (OK, 1, Probe::Certain),
        (b"\r\nGET / HTTP/1.0\r\n", 1, Probe::Certain),
        (b"CCM_POST /x HTTP/1.1\r\n", 1, Probe::Certain),
        (b"FOO /x HTTP/1.1\r\n", 1, Probe::Certain),
        (b"OPTIONS HTTP/1.1\n", 1, Probe::Certain),
        (b"FOO HTTP/1.1\n", 1, Probe::No),
        (b"GET /x\r\n", 80, Probe::Certain),
        (b"GET /x\r\n", 81, Probe::Maybe),
        (b"GE", 80, Probe::Unsure),
        (b"GET /x", 80, Probe::Unsure),
        (b"HTTP/1.1", 80, Probe::Unsure),
        (b"OPTIONS rtsp://a/b RTSP/1.0\r\n", 554, Probe::No),
        (b"OPTIONS sip:a@b SIP/2.0\r\n", 5060, Probe::No),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 80, Probe::No),
        (b"\x16\x03\x01\x02\x00\x01", 80, Probe::No),
        (b"220 ftp ready\r\n", 80, Probe::No),
        (b"HTTP/x.1 200 OK\r\n", 80, Probe::No),
        (b"GETTING started\r\n", 80, Probe::No),
    ];
    for (head, port, expect) in cases {
        assert_eq!(super::Http::probe(head, &hint(*port)), *expect, "{}", head.escape_ascii());
    }
}

#[test]
fn passwords_that_makers_ship_are_told_without_the_password() {
    let told = |credential: &str, status: &str| {
        let mut b = bench();
        let request = format!("GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic {credential}\r\n\r\n");
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
        b.client(request.as_bytes()).server(answer.as_bytes()).close();
        let facts = b.facts().iter().filter_map(|f| match &f.body {
            Body::Stated { field: "default_password", value, .. } => Some(value.to_string()),
            _ => None,
        });
        facts.collect::<Vec<_>>()
    };
    // admin:admin, admin:adminx, and a credential without a colon.
    assert_eq!(told("YWRtaW46YWRtaW4=", "200"), ["admin"]);
    assert!(told("YWRtaW46YWRtaW4=", "401").is_empty(), "refused");
    assert!(told("YWRtaW46YWRtaW54", "200").is_empty());
    assert!(told("YWRtaW4=", "200").is_empty());
}

#[test]
fn of_a_head_that_is_cut_the_whole_lines_are_told() {
    let told = {
        let mut b = bench();
        b.client(b"GET /a HTTP/1.1\r\nHost: rtu\r\nUser-Agent: cu").gap(Dir::Orig, 40);
        b.server(b"HTTP/1.1 404 Not Found\r\nServer: ngi").gap(Dir::Resp, 70).client(GET).server(OK).close();
        assert_eq!(b.panics(), 0);
        b.rows("http")
    };
    assert_eq!(told.len(), 2, "{told:?}");
    check(&told[0], &["method=GET", "host=rtu", "uri=/a", "status_code=404"]);
    assert!(!told[0].contains("user_agent") && !told[0].contains("nginx"), "{}", told[0]);
    check(&told[1], &["uri=/a?x=1", "status_code=200"]);
    // The flow ends within the first line or behind it.
    let ended = |head: &[u8]| rows(&[(Dir::Orig, head)]).first().cloned();
    assert_eq!(ended(b"GET /a HTTP/1.1"), None);
    check(&ended(b"GET /a HTTP/1.1\r\nHost: r").unwrap(), &["method=GET", "uri=/a"]);
}
