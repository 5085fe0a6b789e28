//! Tests of the DHCP parser: messages in, rows and facts out.

use gwcore::Body;
use proto::Carrier;
use proto::testing::Bench;

proto::protocols! {
    /// Only DHCP.
    pub enum Set { Dhcp: super::Dhcp, }
}

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];

/// A message up to its options: `ciaddr`, `yiaddr`, `siaddr`, `giaddr` end in these bytes after 10.0.0, 0 for none.
fn fixed(op: u8, addrs: [u8; 4]) -> Vec<u8> {
    let mut m = vec![op, 1, 6, 0, 0x12, 0x34, 0x56, 0x78, 0, 3, 0x80, 0];
    for a in addrs {
        m.extend_from_slice(&if a == 0 { [0; 4] } else { [10, 0, 0, a] });
    }
    m.extend_from_slice(&MAC);
    m.resize(236, 0);
    m
}

fn message(op: u8, addrs: [u8; 4], options: &[u8]) -> Vec<u8> {
    [&fixed(op, addrs)[..], &[99, 130, 83, 99], options, &[255]].concat()
}

fn udp() -> Bench<Set> {
    Bench::new(Carrier::Datagram, 67)
}

/// The row and the facts that one message from the client's (op 1) or the server's side gives.
fn check(bytes: &[u8], row: &str, facts: &[&str]) {
    let mut bench = udp();
    if bytes[0] == 1 {
        bench.client(bytes)
    } else {
        bench.server(bytes)
    };
    let rows = bench.rows("dhcp");
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(rows[0].ends_with(row), "{}\nends with\n{row}", rows[0]);
    assert_eq!(seen(&bench), facts);
    assert!(bench.rows("anomaly").is_empty(), "{:?}", bench.rows("anomaly"));
}

fn seen(bench: &Bench<Set>) -> Vec<String> {
    let text = |body: &Body| match body {
        Body::Claim { addr, mac, .. } => Some(format!("claim {addr} {mac}")),
        Body::Name { addr, mac, name, .. } => {
            Some(format!("name {} {mac} {name}", if addr.is_none() { "-".into() } else { addr.to_string() }))
        }
        Body::Identity { field, value, .. } => Some(format!("{field} {value}")),
        Body::Role(role) => Some(role.to_string()),
        _ => None,
    };
    bench.facts().iter().filter_map(|f| text(&f.body)).collect()
}

#[test]
fn discover() {
    let options = b"\x35\x01\x01\x0c\x06relay7\x3c\x05udhcp\x3d\x07\x01\x02\x00\x00\x00\x00\x07\x37\x03\x01\x03\x06\x32\x04\x0a\x00\x00\x09\0\0";
    check(
        &message(1, [0; 4], options),
        "is_reply=false msg_type=DISCOVER msg_type_code=1 trans_id=305419896 mac=02:00:00:00:00:07 client_chaddr=020000000007 \
         requested_addr=10.0.0.9 host_name=relay7 router=[] dns_servers=[] ntp_servers=[] vendor_class=udhcp client_id=01020000000007 \
         param_list=[1,3,6] secs=3 broadcast=true",
        &["name - 02:00:00:00:00:07 relay7", "vendor_class udhcp"],
    );
}

#[test]
fn acknowledgement() {
    let options = b"\x35\x01\x05\x36\x04\x0a\x00\x00\x01\x33\x04\x00\x00\x0e\x10\x01\x04\xff\xff\xff\x00\x03\x08\x0a\x00\x00\x01\x0a\x00\x00\x02\
                    \x06\x04\x0a\x00\x00\x05\x2a\x04\x0a\x00\x00\x06\x0f\x07plant.x\x0c\x02h7\x38\x02ok";
    check(
        &message(2, [0, 9, 1, 0], options),
        "is_reply=true msg_type=ACK msg_type_code=5 trans_id=305419896 mac=02:00:00:00:00:07 client_chaddr=020000000007 \
         assigned_addr=10.0.0.9 server_addr=10.0.0.1 next_server=10.0.0.1 host_name=h7 domain=plant.x lease_time=3600000000000ns \
         subnet_mask=255.255.255.0 router=[10.0.0.1,10.0.0.2] dns_servers=[10.0.0.5] ntp_servers=[10.0.0.6] param_list=[] message=ok \
         secs=3 broadcast=true",
        &["claim 10.0.0.9 02:00:00:00:00:07", "name 10.0.0.9 02:00:00:00:00:07 h7", "dhcp_server"],
    );
}

#[test]
fn messages_that_claim_nothing_and_unknown_types() {
    let head = |op| format!("is_reply={} ", op == 2);
    for (op, code, name) in
        [(1, 3, "REQUEST"), (1, 4, "DECLINE"), (1, 7, "RELEASE"), (1, 8, "INFORM"), (2, 2, "OFFER"), (2, 6, "NAK")]
    {
        let role: &[&str] = if op == 2 { &["dhcp_server"] } else { &[] };
        let row = format!(
            "{}msg_type={name} msg_type_code={code} trans_id=305419896 mac=02:00:00:00:00:07 client_chaddr=020000000007 \
             router=[] dns_servers=[] ntp_servers=[] param_list=[] secs=3 broadcast=true",
            head(op)
        );
        check(&message(op, [0; 4], &[53, 1, code]), &row, role);
    }
    let row = "is_reply=false msg_type_code=200 trans_id=305419896 mac=02:00:00:00:00:07 client_chaddr=020000000007 router=[] \
               dns_servers=[] ntp_servers=[] param_list=[] secs=3 broadcast=true";
    check(&message(1, [0; 4], &[53, 1, 200]), row, &[]);
}

#[test]
fn an_acknowledged_inform_claims_the_address_the_client_has() {
    let mut bench = udp();
    bench.server(&message(2, [4, 0, 0, 0], &[53, 1, 5]));
    assert_eq!(seen(&bench), ["claim 10.0.0.4 02:00:00:00:00:07", "dhcp_server"]);
}

#[test]
fn relayed_messages_say_nothing_of_their_sender() {
    let mut bench = udp();
    bench.client(&message(1, [0, 0, 0, 3], b"\x35\x01\x01\x3c\x01x\x52\x0a\x01\x03p/7\x02\x03r-1"));
    let row = &bench.rows("dhcp")[0];
    assert!(row.contains("relay_addr=10.0.0.3") && row.contains("circuit_id=p/7 agent_remote_id=r-1 secs="), "{row}");
    assert!(seen(&bench).is_empty());
    // A relay passes the reply on to port 68: it is no server. The server's reply to the relay goes to port 67.
    let mut to_client = Bench::<Set>::new(Carrier::Datagram, 68);
    to_client.client(&message(2, [0, 9, 0, 3], &[53, 1, 2]));
    assert!(seen(&to_client).is_empty());
    let mut to_relay = udp();
    to_relay.client(&message(2, [0, 9, 0, 3], &[53, 1, 2]));
    assert_eq!(seen(&to_relay), ["dhcp_server"]);
}

#[test]
fn options_may_lie_in_the_fields_of_names_and_in_parts() {
    let mut m = message(1, [0; 4], &[53, 1, 1, 52, 1, 3, 12, 2, b'a', b'b']);
    m[44..50].copy_from_slice(b"\x0f\x02eu\xff\0");
    m[108..113].copy_from_slice(b"\x0c\x01c\xff\0");
    let mut bench = udp();
    bench.client(&m);
    let row = &bench.rows("dhcp")[0];
    assert!(row.contains("host_name=abc domain=eu ") && !row.contains("boot_"), "{row}");
    assert!(bench.rows("anomaly").is_empty());
    // Without option 52 they are names.
    let mut m = message(2, [0; 4], &[53, 1, 2]);
    m[44..47].copy_from_slice(b"srv");
    m[108..112].copy_from_slice(b"boot");
    let mut bench = udp();
    bench.server(&m);
    assert!(bench.rows("dhcp")[0].contains("boot_server=srv boot_file=boot "));
}

#[test]
fn full_names_in_both_encodings() {
    let name = |option: &[u8]| super::parse::fqdn(option).map(|n| String::from_utf8(n).unwrap());
    assert_eq!(name(b"\0\0\0pc7.plant"), Some("pc7.plant".into()));
    assert_eq!(name(b"\x04\0\0\x03pc7\x05plant\0"), Some("pc7.plant".into()));
    assert_eq!(name(b"\x04\0\0\x03pc7"), Some("pc7".into()));
    assert_eq!((name(b"\x04\0\0\x09pc7"), name(b"\0\0\0"), name(b"\0\0")), (None, None, None));
}

#[test]
fn bootp_has_no_type() {
    let mut bench = udp();
    bench.client(&fixed(1, [4, 0, 0, 0])).server(&message(2, [0, 9, 0, 0], &[]));
    let rows = bench.rows("dhcp");
    assert!(rows[0].starts_with(
        "1 > is_reply=false trans_id=305419896 mac=02:00:00:00:00:07 client_chaddr=020000000007 client_addr=10.0.0.4"
    ));
    assert!(rows[1].starts_with("2 < is_reply=true trans_id="), "{rows:?}");
    assert_eq!(bench.rows("anomaly"), ["1 > proto=dhcp reason=no_magic_cookie count=1"]);
}

#[test]
fn damage_gives_what_was_understood_and_a_reason() {
    let whole = message(1, [0; 4], b"\x35\x01\x01\x0c\x03abc");
    for (cut, reason) in [
        (1, "no_end_option"),
        (2, "truncated_option"),
        (5, "truncated_option"),
        (10, "no_magic_cookie"),
        (20, "short_message"),
    ] {
        let mut bench = udp();
        bench.client(&whole).client(&whole[..whole.len() - cut]);
        let expect = usize::from(reason != "short_message") + 1;
        assert_eq!(bench.rows("dhcp").len(), expect, "{cut}");
        assert!(bench.rows("anomaly")[0].contains(&format!("reason={reason}")), "{cut}: {:?}", bench.rows("anomaly"));
    }
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            let mut bench = udp();
            bench.client(&whole).client(&damaged);
            assert_eq!((bench.panics(), bench.rows("dhcp").len()), (0, 2), "byte {at} bit {bit}");
        }
    }
}

#[test]
fn recognised_by_content_and_not_by_mistake() {
    let service = |port: u16, bytes: &[u8]| {
        let mut bench = Bench::<Set>::new(Carrier::Datagram, port);
        bench.client(bytes);
        bench.service()
    };
    let good = message(1, [0; 4], &[53, 1, 1]);
    let change = |at: usize, to: u8| {
        let mut m = good.clone();
        m[at] = to;
        m
    };
    assert_eq!((service(67, &good), service(4011, &good)), ("dhcp", "dhcp"));
    // Elsewhere the cookie, the type and the end must be there.
    assert_eq!((service(67, &fixed(1, [0; 4])), service(4011, &fixed(1, [0; 4]))), ("dhcp", ""));
    assert_eq!((service(4011, &message(1, [0; 4], &[])), service(4011, &good[..good.len() - 1])), ("", ""));
    assert_eq!((service(67, &good[..236]), service(67, &good[..235])), ("dhcp", ""));
    assert_eq!(
        (
            service(67, &change(0, 3)),
            service(67, &change(1, 0)),
            service(67, &change(2, 7)),
            service(67, &change(3, 17))
        ),
        ("", "", "", "")
    );
}
