//! Every encapsulation, and the headers inside.

use capture::LinkType;
use gwcore::{Addr, Mac};
use packet::{Outcome, Transport};
use testkit::*;

use crate::fixtures::{A, B, IP1, IP2, Inside, OUT1, OUT2, all, v6};
use crate::{decoder, frame, frame_of};

fn outer(name: &str, outer: Option<(Addr, Addr)>) -> bool {
    let v4 = (Addr::v4(OUT1), Addr::v4(OUT2));
    match name {
        "4in6" | "6in6" => outer.is_some_and(|(src, _)| !src.is_v4()),
        "mpls" | "pppoe" | "" => outer.is_none(),
        _ => outer == Some(v4),
    }
}

#[test]
fn every_encapsulation_leads_to_the_same_segment() {
    for f in all() {
        let mut decoder = decoder();
        let d = decoder.decode(&frame_of(f.link, 0, &f.bytes));
        let name = f.name;
        assert_eq!(d.outcome, Outcome::Packet, "{name}");
        assert_eq!(d.payload, b"payload", "{name}");
        assert_eq!(d.anomalies.iter().collect::<Vec<_>>(), [""; 0], "{name}");
        let p = d.packet;
        let Transport::Tcp(tcp) = p.transport else { panic!("{name}: {:?}", p.transport) };
        assert_eq!((tcp.src_port, tcp.dst_port, tcp.seq, tcp.ack, tcp.flags), (1_025, 502, 7, 9, 0x12), "{name}");
        assert_eq!((tcp.mss, tcp.window_scale, tcp.options_len), (Some(1_460), Some(7), 8), "{name}");
        let want = if f.v6 { v6(2).map(u16::to_be_bytes).concat() } else { Addr::v4(IP2).0.to_vec() };
        assert_eq!(p.dst.0.to_vec(), want, "{name}");
        assert_eq!((p.ip_proto, p.payload_len, p.ttl), (6, 7, 64), "{name}");
        assert_eq!(p.checksum_ok, Some(true), "{name}");
        assert_eq!((p.tunnels, p.tunnel), f.tunnels, "{name}");
        assert!(outer(p.tunnel, p.outer), "{name}: {:?}", p.outer);
        assert_eq!((p.link.src, p.link.dst), (Mac(f.macs.0), Mac(f.macs.1)), "{name}");
        assert_eq!(p.link.vlans, f.vlans, "{name}");
    }
}

#[test]
fn redundancy_is_told_by_trailer_and_tag() {
    let check = |name: &str, want: Option<(bool, u8, u16)>| {
        let fixtures = all();
        let f = fixtures.iter().find(|f| f.name == name).unwrap();
        let mut decoder = decoder();
        let got = decoder.decode(&frame(&f.bytes)).packet.link.redundancy;
        assert_eq!(got.map(|r| (r.hsr, r.lan, r.seq)), want, "{name}");
    };
    check("prp", Some((false, 0xb, 77)));
    check("prp vlan", Some((false, 0xb, 77)));
    check("hsr", Some((true, 1, 77)));
    check("padding", None);
    check("ethernet", None);
}

#[test]
fn bytes_that_look_like_a_trailer_are_payload_when_ip_says_so() {
    let trailer = [0, 1, 0xa0, 54, 0x88, 0xfb];
    let whole = Stack::new().eth(A, B).ipv4(IP1, IP2).udp(1, 2).payload(&[9; 20]).payload(&trailer).bytes();
    assert_eq!(whole.len() - 14, 54);
    let mut decoder = decoder();
    let d = decoder.decode(&frame(&whole));
    assert_eq!((d.payload.len(), d.packet.link.redundancy), (26, None));
}

#[test]
fn a_trailer_is_taken_from_goose_only_when_its_size_agrees() {
    let check = |size: Option<u16>, payload: usize| {
        let eth = Eth { src: A, dst: B, ethertype: Some(0x88b8) };
        let bytes = Stack::new().add(eth).add(Prp { seq: 1, lan: 0xa, size }).payload(&[1; 50]).bytes();
        let mut decoder = decoder();
        let d = decoder.decode(&frame(&bytes));
        assert_eq!((d.packet.link.ethertype, d.packet.transport), (0x88b8, Transport::None));
        assert_eq!((d.payload.len(), d.packet.payload_len as usize), (payload, payload));
    };
    check(None, 50);
    check(Some(57), 56);
}

/// What a frame is: outcome, transport, payload and anomalies in one line.
fn said(link: LinkType, bytes: &[u8]) -> String {
    let mut decoder = decoder();
    let d = decoder.decode(&frame_of(link, 0, bytes));
    let kind = match d.packet.transport {
        Transport::Tcp(_) => "tcp",
        Transport::Udp { .. } => "udp",
        Transport::Icmp { .. } => "icmp",
        Transport::Other => "other",
        Transport::None => "none",
    };
    let outcome = match d.outcome {
        Outcome::Undecoded(reason) => return format!("undecoded {reason}"),
        Outcome::Packet => "packet",
        Outcome::Fragment => "fragment",
    };
    format!("{outcome} {kind} {} {}", d.payload.len(), d.anomalies.iter().collect::<Vec<_>>().join(","))
}

#[test]
fn link_packets() {
    let check = |stack: Stack, want: &str| assert_eq!(said(LinkType::ETHERNET, &stack.bytes()).trim(), want);
    let eth = || Stack::new().eth(A, B);
    let typed = |ethertype| Stack::new().add(Eth { src: A, dst: B, ethertype: Some(ethertype) });
    check(eth().add(Arp { op: 1, ..Arp::default() }), "packet none 28");
    check(eth().add(Llc { dsap: 0x42, ssap: 0x42, control: 3 }).payload(&[0; 35]), "packet none 35");
    check(eth().add(Snap { oui: [0, 0, 0xc], ethertype: Some(0x2000) }).payload(&[0; 9]), "packet none 14");
    check(typed(0x88fb).payload(&[1; 46]), "packet none 46");
    check(typed(0x9999).payload(&[1; 5]), "packet none 5");
    check(typed(0x8100).payload(&[1; 3]), "packet none 3 truncated_vlan");
    check(typed(0x0800).payload(&[0x55; 30]), "packet none 30 bad_ip_version");
    check(typed(0x0800).payload(&[0x44; 30]), "packet none 30 bad_ipv4_header_length");
    check(typed(0x0800).payload(&[0x45; 19]), "packet none 19 truncated_ipv4");
    check(typed(0x86dd).payload(&[0x60; 39]), "packet none 39 truncated_ipv6");
    check(typed(0x0800), "packet none 0 truncated_ip");
    check(typed(0x8847).payload(&[0, 0, 0, 1]), "packet none 0 truncated_mpls");
    check(typed(0x8864).payload(&[0x11, 9, 0, 0, 0, 0]), "packet none 6 bad_pppoe_header");
}

#[test]
fn frames_without_station_or_ip_are_undecoded() {
    let check = |link, bytes: &[u8], reason: &str| assert_eq!(said(link, bytes), format!("undecoded {reason}"));
    check(LinkType(147), &[0; 60], "unsupported_link_type");
    check(LinkType::ETHERNET, &[0; 13], "truncated_ethernet");
    check(LinkType::NULL, &[7, 0, 0, 0], "unknown_address_family");
    check(LinkType::NULL, &[7, 0], "truncated_loopback");
    check(LinkType::LINUX_SLL, &[0; 15], "truncated_cooked");
    check(LinkType::LINUX_SLL2, &[0; 19], "truncated_cooked");
    check(LinkType::RTAC_SERIAL, &[0; 11], "truncated_rtac");
    check(LinkType::FRAME_RELAY, &[0x18, 0x60, 0, 0, 1], "bad_frame_relay_address");
    check(LinkType::FRAME_RELAY, &[0x19, 0x61, 8, 0], "bad_frame_relay_address");
    check(LinkType::FRAME_RELAY, &[0x18, 0x61, 8], "truncated_frame_relay");
    check(LinkType::NFLOG, &[2, 1, 0, 0, 4, 0, 9, 0], "bad_nflog_header");
    check(LinkType::NFLOG, &[2, 0, 0, 0, 3, 0, 9, 0, 0x45], "bad_nflog_value");
    check(LinkType::NFLOG, &[2, 0, 0, 0, 0xff, 0xff, 1, 0, 8], "bad_nflog_value");
    check(LinkType::RADIOTAP, &[0, 0, 9, 0, 0, 0, 0, 0], "truncated_radiotap");
    check(LinkType::IEEE802_11, &[8; 23], "truncated_wlan");
    check(LinkType::RAW, &[0x10; 40], "bad_ip_version");
    check(LinkType::PPP, &[0xc0, 0x21, 1, 1], "no_address");
}

#[test]
fn wireless_data_is_read_where_it_is_in_the_clear() {
    let ip = Stack::new().ipv4(IP1, IP2).udp(1, 2).payload(b"x").bytes();
    let frame = |control: [u8; 2], more: &[u8]| {
        let llc = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
        [&control[..], &[0, 0], &[1; 6], &[2; 6], &[3; 6], &[0, 0], more, &llc, &ip].concat()
    };
    let check = |link, bytes: &[u8], addresses: Option<(u8, u8)>| {
        let mut decoder = decoder();
        let d = decoder.decode(&frame_of(link, 0, bytes));
        let stations = (d.packet.link.src, d.packet.link.dst);
        match addresses {
            Some((src, dst)) => {
                assert_eq!((stations, d.payload), ((Mac([src; 6]), Mac([dst; 6])), &b"x"[..]));
            }
            None => assert!(matches!(d.outcome, Outcome::Undecoded(_)), "{:?}", d.outcome),
        }
    };
    let wlan = LinkType::IEEE802_11;
    check(wlan, &frame([0x08, 0], &[]), Some((2, 1)));
    check(wlan, &frame([0x08, 1], &[]), Some((2, 3)));
    check(wlan, &frame([0x08, 2], &[]), Some((3, 1)));
    check(wlan, &frame([0x08, 3], &[4; 6]), Some((4, 3)));
    check(wlan, &frame([0x88, 0], &[0, 0]), Some((2, 1)));
    check(wlan, &frame([0x88, 0x80], &[0; 6]), Some((2, 1)));
    check(wlan, &frame([0x88, 0], &[0x80, 0]), None);
    check(wlan, &frame([0x08, 0x40], &[]), None);
    check(wlan, &frame([0x48, 0], &[]), None);
    check(wlan, &frame([0x80, 0], &[]), None);
    let radiotap = [&[0, 0, 9, 0, 0, 0, 0, 0, 7][..], &frame([0x08, 2], &[])].concat();
    check(LinkType::RADIOTAP, &radiotap, Some((3, 1)));
}

#[test]
fn rtac_serial_keeps_its_event_and_its_bytes() {
    let bytes = [&[0, 0, 0, 1, 0, 0, 0, 2, 1, 0, 0, 0][..], &[5, 0x64, 5]].concat();
    let mut decoder = decoder();
    let d = decoder.decode(&frame_of(LinkType::RTAC_SERIAL, 0, &bytes));
    assert_eq!((d.outcome, d.payload), (Outcome::Packet, &[5, 0x64, 5][..]));
    assert_eq!((d.packet.link.rtac, d.packet.transport, d.packet.payload_len), (Some(1), Transport::None, 3));
}

#[test]
fn broken_transport_headers() {
    let check = |stack: Stack, want: &str| assert_eq!(said(LinkType::ETHERNET, &stack.bytes()).trim(), want);
    let ip = |proto| Stack::new().eth(A, B).add(Ipv4 { proto: Some(proto), ..Ipv4::default() });
    check(ip(6).payload(&[0; 19]), "packet other 19 bad_tcp_length");
    check(ip(17).payload(&[0; 7]), "packet other 7 bad_udp_length");
    check(ip(1).payload(&[0; 3]), "packet other 3 bad_icmp_length");
    check(ip(132).payload(&[0; 12]), "packet other 12");
    check(ip(58).payload(&[0; 12]), "packet other 12");
    let tcp = |data_offset, options: &[u8]| {
        Stack::new().eth(A, B).ipv4(IP1, IP2).add(Tcp { data_offset, options: options.to_vec(), ..Tcp::default() })
    };
    check(tcp(Some(4), &[]).payload(b"abc"), "packet other 23 bad_tcp_offset");
    check(tcp(Some(6), &[]).payload(b"abc"), "packet other 23 bad_tcp_offset");
    check(tcp(None, &[2, 4, 5]), "packet tcp 0");
    check(tcp(None, &[8, 11, 0, 0]).payload(b"abc"), "packet tcp 3 bad_tcp_options");
    check(tcp(None, &[3, 4, 0, 0]).payload(b"abc"), "packet tcp 3 bad_tcp_options");
    let udp =
        |len| Stack::new().eth(A, B).ipv4(IP1, IP2).add(Udp { src: 1, dst: 2, len, checksum: None }).payload(b"abcdef");
    check(udp(Some(7)), "packet udp 6 bad_udp_length");
    check(udp(Some(15)), "packet udp 6 bad_udp_length");
    check(udp(Some(12)), "packet udp 4");
    let options = |options: &[u8]| Stack::new().eth(A, B).add(Ipv4 { options: options.to_vec(), ..Ipv4::default() });
    check(options(&[0x83, 3, 4, 0]).udp(1, 2), "packet udp 0 ipv4_source_route");
    check(options(&[0x44, 9, 5, 0]).udp(1, 2), "packet udp 0 bad_ipv4_options");
    check(options(&[0x44, 1, 5, 0]).udp(1, 2), "packet udp 0 bad_ipv4_options");
    let chain = (0..17).fold(Stack::new().eth(A, B).ipv6(v6(1), v6(2)), |s, _| s.add(Extension::Options(60, vec![])));
    check(chain.udp(1, 2), "packet other 16 too_many_extensions");
    let second = Stack::new()
        .eth(A, B)
        .ipv6(v6(1), v6(2))
        .add(Extension::Options(60, vec![]))
        .add(Extension::Options(0, vec![]));
    check(second.udp(1, 2), "packet udp 0 hop_by_hop_not_first");
}

#[test]
fn lengths_beyond_the_frame_are_named_and_what_is_there_is_payload() {
    let ip = Ipv4 { total_len: Some(100), ..Ipv4::default() };
    let bytes = Stack::new().eth(A, B).add(ip).udp(1, 2).payload(b"abc").bytes();
    assert_eq!(said(LinkType::ETHERNET, &bytes), "packet udp 3 ipv4_length_beyond_frame");
}

#[test]
fn a_cut_frame_says_how_long_it_was() {
    let bytes = Stack::new().eth(A, B).ipv4(IP1, IP2).udp(1, 2).payload(&[7; 500]).bytes();
    let mut cut = frame(&bytes[..96]);
    cut.wire_len = bytes.len() as u32;
    let mut decoder = decoder();
    let d = decoder.decode(&cut);
    assert_eq!((d.payload.len(), d.packet.payload_len, d.packet.checksum_ok), (54, 500, None));
    assert!(d.anomalies.is_empty());
}

#[test]
fn checksums() {
    let check = |stack: Stack, want: Option<bool>, anomaly: &[&str]| {
        let bytes = stack.bytes();
        let mut decoder = decoder();
        let d = decoder.decode(&frame(&bytes));
        assert_eq!(d.packet.checksum_ok, want);
        assert_eq!(d.anomalies.iter().collect::<Vec<_>>(), anomaly);
    };
    let eth = || Stack::new().eth(A, B);
    let udp = |checksum| Udp { src: 1, dst: 2, len: None, checksum };
    check(eth().ipv4(IP1, IP2).add(udp(None)).payload(b"odd"), Some(true), &[]);
    check(eth().ipv4(IP1, IP2).add(udp(Some(0x1234))).payload(b"odd"), Some(false), &[]);
    check(eth().ipv4(IP1, IP2).add(udp(Some(0))).payload(b"odd"), None, &[]);
    check(eth().ipv6(v6(1), v6(2)).add(udp(Some(0))).payload(b"odd"), Some(false), &[]);
    check(eth().ipv4(IP1, IP2).icmp(8, 0).payload(b"ping!"), Some(true), &[]);
    check(eth().ipv6(v6(1), v6(2)).icmp(128, 0).payload(b"ping!"), Some(true), &[]);
    check(eth().ipv4(IP1, IP2).add(Icmp { checksum: Some(1), ..Icmp::default() }), Some(false), &[]);
    let header = |checksum| Ipv4 { src: IP1.into(), dst: IP2.into(), checksum, ..Ipv4::default() };
    check(eth().add(header(Some(7))).tcp(1, 2), Some(true), &["bad_ipv4_checksum"]);
    check(eth().add(header(Some(0))).tcp(1, 2), Some(true), &[]);
    let left = Extension::Options(43, vec![2, 1, 0, 0, 0, 0]);
    check(eth().ipv6(v6(1), v6(2)).add(left).tcp(1, 2), None, &[]);
}

#[test]
fn tunnel_ports_without_a_tunnel_stay_udp() {
    for port in [4_789, 4_790, 8_472, 6_081, 3_544, 2_152, 4_754, 5_072] {
        for payload in
            [&b""[..], b"hello, this is no tunnel at all, only text", &[0; 60], &[0xff; 60], &[8, 0, 0, 0, 0, 0, 5, 0]]
        {
            let bytes = Stack::new().eth(A, B).ipv4(IP1, IP2).udp(50_000, port).payload(payload).bytes();
            let want = format!("packet udp {} ", payload.len());
            assert_eq!(said(LinkType::ETHERNET, &bytes), want, "{port} {payload:02x?}");
        }
    }
}

#[test]
fn arp_in_a_tunnel_has_no_ip_of_its_own() {
    let outer = Stack::new().eth(A, B).ipv4(OUT1, OUT2).udp(5, 4_789).add(Vxlan { vni: 1 });
    let bytes = outer.eth(B, A).add(Arp::default()).bytes();
    let mut decoder = decoder();
    let p = decoder.decode(&frame(&bytes)).packet;
    assert_eq!((p.link.ethertype, p.src, p.ip_proto, p.transport), (0x0806, Addr::NONE, 0, Transport::None));
    assert_eq!((p.outer, p.link.src), (Some((Addr::v4(OUT1), Addr::v4(OUT2))), Mac(B)));
}

#[test]
fn tunnels_up_to_the_limit() {
    let nested = |n: usize| (0..n).fold(Stack::new().eth(A, B), |s, _| s.ipv4(OUT1, OUT2)).tcp4().bytes();
    let mut decoder = decoder();
    let at_limit = nested(16);
    let d = decoder.decode(&frame(&at_limit));
    assert_eq!((d.outcome, d.packet.tunnels, d.payload), (Outcome::Packet, 16, &b"payload"[..]));
    let beyond = nested(17);
    assert_eq!(decoder.decode(&frame(&beyond)).outcome, Outcome::Undecoded("too_deep"));
    assert_eq!(decoder.limit_hits().count(gwcore::Limit::TunnelDepth), 1);
}
