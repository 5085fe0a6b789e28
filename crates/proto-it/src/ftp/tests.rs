//! Tests of the FTP parser: sessions in, rows and facts out; every oddity that changes what is said.

use gwcore::{Body, Limit, Limits};
use proto::testing::Bench;
use proto::{Carrier, Dir, Hint, Parser, Probe};

proto::protocols! {
    /// FTP alone.
    pub enum Set { Ftp: super::Ftp, }
}

/// Runs a session; `C` lines are the client's.
fn run(lines: &[&str]) -> Bench<Set> {
    let mut b = Bench::new(Carrier::Stream, 21);
    for line in lines {
        let (who, text) = line.split_at(1);
        let bytes = format!("{text}\r\n");
        if who == "C" {
            b.client(bytes.as_bytes())
        } else {
            b.server(bytes.as_bytes())
        };
    }
    b.close();
    assert_eq!(b.panics(), 0);
    b
}

fn facts(b: &Bench<Set>) -> Vec<String> {
    let said = |f: &gwcore::Fact| match &f.body {
        Body::Login { user, cleartext, accepted, .. } => Some(format!("login {user} {cleartext} {accepted:?}")),
        Body::Stated { field, value, .. } => Some(format!("{field} {value}")),
        Body::Identity { field, value, .. } => Some(format!("{field} {value}")),
        Body::Anomaly { reason, .. } => Some((*reason).to_owned()),
        _ => None,
    };
    b.facts().iter().filter_map(said).collect()
}

#[track_caller]
fn check(row: &str, expect: &[&str]) {
    for piece in expect {
        assert!(format!("{row} ").contains(&format!(" {piece} ")), "`{piece}` is not in `{row}`");
    }
}

#[test]
fn a_session_is_told_command_by_command() {
    let b = run(&[
        "S220 (vsFTPd 3.0.3)",
        "CUSER admin",
        "S331 Please specify the password.",
        "CPASS 1234",
        "S230 Login successful.",
        "CSYST",
        "S215 UNIX Type: L8",
        "CPASV",
        "S227 Entering Passive Mode (10,0,0,2,19,137).",
        "CSIZE SET_ALL.TXT",
        "S213 4711",
        "CRETR SET_ALL.TXT",
        "S150 Opening BINARY mode (4711 bytes).",
        "S226 Transfer complete.",
        "CQUIT",
        "S221 Goodbye.",
    ]);
    let rows = b.rows("ftp");
    assert_eq!(rows.len(), 8);
    check(&rows[0], &["reply_code=220", "reply_lines=1"]);
    check(&rows[2], &["user=admin", "command=PASS", "reply_code=230"]);
    assert!(!rows[2].contains("arg="), "{}", rows[2]);
    check(&rows[4], &["data_passive=true", "data_host=10.0.0.2", "data_port=5001"]);
    check(&rows[5], &["command=SIZE", "arg=SET_ALL.TXT", "file_size=4711"]);
    check(&rows[6], &["command=RETR", "preliminary_code=150", "reply_code=226", "file_size=4711"]);
    let said =
        ["software (vsFTPd 3.0.3)", "login admin true Some(true)", "default_password admin", "system UNIX Type: L8"];
    assert_eq!(facts(&b), said);
    assert!(!rows.concat().contains("1234"), "no password is kept");
}

#[test]
fn log_ins_have_outcomes() {
    let outcome =
        |lines: &[&str]| facts(&run(lines)).into_iter().filter(|f| f.starts_with("login")).collect::<Vec<_>>();
    assert_eq!(outcome(&["CUSER a", "S331 ?", "CPASS x", "S530 no"]), ["login a true Some(false)"]);
    assert_eq!(outcome(&["CUSER a", "S530 no"]), ["login a false Some(false)"]);
    assert_eq!(outcome(&["CUSER a", "S230 in"]), ["login a false Some(true)"]);
    assert_eq!(outcome(&["CUSER a", "S331 ?", "CPASS x"]), ["login a true None"]);
    assert_eq!(outcome(&["CUSER Anonymous", "S331 ?", "CPASS a@b", "S230 in"]), ["login Anonymous false Some(true)"]);
}

#[test]
fn replies_of_several_lines_and_odd_ones() {
    let b = run(&[
        "S220-Welcome",
        "Sto 220 hosts",
        "S 220 of them",
        "S220",
        "CUSER a",
        "S331-more",
        "S331 ?",
        "Sno code",
        "C\u{1}\u{2}",
        "S230in",
    ]);
    let rows = b.rows("ftp");
    check(&rows[0], &["reply_code=220", "reply_lines=4"]);
    check(&rows[1], &["reply_code=331", "reply_lines=2", "reply_msg=?"]);
    check(&rows[2], &["reply_code=230", "reply_msg=in"]);
    assert_eq!(facts(&b), ["reply_without_code", "bad_command"]);
    // A greeting that never ends, over which the client goes on.
    let b = run(&["S220-Welcome", "S230 is no reply yet", "CUSER a", "S331 ?"]);
    check(&b.rows("ftp")[0], &["command=USER", "reply_code=331", "reply_lines=3"]);
}

#[test]
fn commands_in_advance_keep_their_replies_and_are_limited() {
    let b = run(&["CPWD", "CTYPE I", "S257 \"/\"", "S200 ok", "S426 cut"]);
    let rows = b.rows("ftp");
    check(&rows[0], &["command=PWD", "reply_code=257"]);
    check(&rows[1], &["command=TYPE", "arg=I", "reply_code=200"]);
    assert!(!rows[2].contains("command="), "{}", rows[2]);
    let limits = Limits::scaled(Limit::Pending.default_value());
    let mut b = Bench::<Set>::new(Carrier::Stream, 21).limits(limits);
    b.client(b"PWD\r\nPWD\r\nPWD\r\n");
    assert_eq!(b.rows("ftp").len(), 2, "the oldest are written before their session ends");
}

#[test]
fn data_connections_by_every_way() {
    let data = |lines: &[&str]| run(lines).rows("ftp").concat();
    check(&data(&["CPORT 10,0,0,1,4,1", "S200 ok"]), &["data_passive=false", "data_host=10.0.0.1", "data_port=1025"]);
    check(&data(&["CEPRT |2|2001:db8::1|1025|", "S200 ok"]), &["data_host=2001:db8::1", "data_port=1025"]);
    check(&data(&["CEPSV", "S229 Entering (|||5001|)"]), &["data_passive=true", "data_port=5001"]);
    for bad in ["CPORT 10,0,0,256,4,1", "CPORT 10,0,0", "CEPRT |1|x|70000|", "CEPRT ", "CEPSV"] {
        assert!(!data(&[bad, "S200 ok"]).contains("data_port"), "{bad}");
    }
    let other = run(&["CPORT 10,9,9,9,4,1", "S200 ok"]);
    assert_eq!(facts(&other), ["data_to_third_party"]);
}

#[test]
fn after_auth_the_stream_is_anothers() {
    let mut b = Bench::<Set>::new(Carrier::Stream, 21);
    b.client(b"AUTH TLS\r\n").server(b"234 go\r\n\x16\x03").client(b"\x16\x03\x01\x00\x05").close();
    assert_eq!(b.rows("ftp").len(), 1);
    assert_eq!(facts(&b), [""; 0]);
}

#[test]
fn what_is_ftp_and_what_is_not() {
    let probe = |head: &[u8], port: u16| {
        super::Ftp::probe(head, &Hint { carrier: Carrier::Stream, src_port: 40_000, dst_port: port, from_start: true })
    };
    assert_eq!(probe(b"USER a\r\n", 21), Probe::Certain);
    assert_eq!(probe(b"USER a\r\n", 2121), Probe::Maybe);
    assert_eq!(probe(b"AUTH\r\n", 110), Probe::Unsure);
    assert_eq!(probe(b"USER a 0 * b\r\n", 6667), Probe::Unsure);
    assert_eq!(probe(b"USER a\r\nPASS b\r\nEPSV\r\n", 2121), Probe::Certain);
    assert_eq!(probe(b"USER a\r\nNICK b\r\nPASV\r\n", 6667), Probe::No);
    assert_eq!(probe(b"STOR x\r\n", 2121), Probe::Certain);
    assert_eq!(probe(b"MODE READER\r\n", 119), Probe::Unsure);
    assert_eq!(probe(b"200 news\r\n", 119), Probe::No);
    assert_eq!(probe(b"220 mail ESMTP\r\n", 25), Probe::Unsure);
    assert_eq!(probe(b"220 FTP server\r\n", 2121), Probe::Maybe);
    assert_eq!(probe(b"EHLO x\r\n", 25), Probe::No);
    assert_eq!(probe(b"+OK\r\n", 110), Probe::No);
    assert_eq!(probe(b"USE", 21), Probe::Unsure);
    assert_eq!(probe(b"\x00\x01\x02", 21), Probe::No);
    assert_eq!(probe(b"GET / HTTP/1.1\r\n", 21), Probe::No);
}

#[test]
fn a_gap_ends_what_waits_and_the_next_line_is_read() {
    let mut b = Bench::<Set>::new(Carrier::Stream, 21);
    b.client(b"USER a\r\n")
        .server(b"331 ?\r\n")
        .gap(Dir::Orig, 10)
        .client(b"rest\r\nPWD\r\n")
        .server(b"257 x\r\n")
        .close();
    let rows = b.rows("ftp");
    check(&rows[1], &["command=PWD", "reply_code=257"]);
    let mut b = Bench::<Set>::new(Carrier::Stream, 21);
    b.client(b"USER a\r\n").client(&[b'x'; 9_000]).close();
    assert!(facts(&b).contains(&"line_too_long".to_owned()));
}

#[test]
fn other_protocols_of_lines_are_left_alone() {
    let told = |port: u16, greeting: &[u8], client: &[u8], replies: &[u8]| {
        let mut b = Bench::<Set>::new(Carrier::Stream, port);
        b.server(greeting).client(client);
        if !replies.is_empty() {
            b.server(replies);
        }
        b.close();
        (b.rows("ftp").len(), b.facts().len())
    };
    let rows = |port: u16, client: &[u8], server: &[u8]| told(port, server, client, b"");
    let commands = b"USER 1\r\nPASS 1\r\nSYST\r\nTYPE I\r\nPORT 10,0,0,1,4,56\r\nRETR a\r\nQUIT\r\n";
    assert_eq!(told(8_884, b"220 AnFtpd\r\n", commands, b"331 ?\r\n230 in\r\n").0, 8);
    assert_eq!(rows(8_884, commands, b"220 AnFtpd\r\n331 ?\r\n230 in\r\n").0, 10, "replies before anybody asked");
    assert_eq!(rows(25, b"EHLO a\r\nMAIL FROM:<b>\r\n", b"220 ftp.example ESMTP\r\n"), (0, 0));
    assert_eq!(rows(110, b"USER a\r\nPASS b\r\n", b"+OK\r\n"), (0, 0));
    assert_eq!(rows(6667, b"USER a 0 * :b\r\nNICK a\r\n", b":irc NOTICE\r\n"), (0, 0));
    assert_eq!(told(2121, b"220 ftp ready\r\n", b"USER a\r\nPASS b\r\n", b"331 ?\r\n230 in\r\n").0, 3);
}

mod with_http {
    proto::protocols! {
        /// What may begin late beside FTP.
        pub enum Set { Http: crate::http::Http, Ftp: crate::ftp::Ftp, }
    }
}

#[test]
fn a_greeting_that_the_client_contradicts_hides_nothing_that_follows() {
    let mut b = Bench::<with_http::Set>::new(Carrier::Stream, 25);
    b.server(b"220 ftp.example ESMTP\r\n").client(b"EHLO a\r\n").server(b"250 ok\r\n");
    b.client(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").close();
    assert_eq!(b.service(), "http");
}

#[test]
fn what_nobody_reads_is_told_once_both_sides_spoke() {
    let told = |server: &[u8]| {
        let mut b = Bench::<with_http::Set>::new(Carrier::Stream, 4_444);
        b.server(server).client(&[7; 4_000]).client(&[7; 4_000]).close();
        b.facts().iter().filter(|f| matches!(f.body, Body::Unread)).count()
    };
    assert_eq!((told(&[9; 100]), told(b"")), (1, 0));
}
