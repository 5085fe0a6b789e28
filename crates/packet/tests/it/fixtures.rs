//! One frame of every encapsulation, each around the same TCP segment or Ethernet frame.

use capture::LinkType;
use testkit::*;

pub const A: [u8; 6] = [2, 0, 0, 0, 0, 0xa];
pub const B: [u8; 6] = [2, 0, 0, 0, 0, 0xb];
pub const C: [u8; 6] = [2, 0, 0, 0, 0, 0xc];
pub const D: [u8; 6] = [2, 0, 0, 0, 0, 0xd];
pub const IP1: [u8; 4] = [10, 0, 0, 1];
pub const IP2: [u8; 4] = [10, 0, 0, 2];
pub const OUT1: [u8; 4] = [172, 16, 0, 1];
pub const OUT2: [u8; 4] = [172, 16, 0, 2];

/// An IPv6 address of the documentation prefix.
pub fn v6(n: u16) -> [u16; 8] {
    [0x2001, 0xdb8, 0, 0, 0, 0, 0, n]
}

/// A frame and what its decoding must say.
pub struct Fixture {
    pub name: &'static str,
    pub link: LinkType,
    pub bytes: Vec<u8>,
    /// Tunnels taken off and the name of the outermost.
    pub tunnels: (u8, &'static str),
    /// The innermost MACs.
    pub macs: ([u8; 6], [u8; 6]),
    /// Outer and innermost VLAN.
    pub vlans: [u16; 2],
    pub v6: bool,
}

impl Fixture {
    fn new(name: &'static str, stack: Stack) -> Fixture {
        Fixture {
            name,
            link: LinkType::ETHERNET,
            bytes: stack.bytes(),
            tunnels: (0, ""),
            macs: (A, B),
            vlans: [0xffff; 2],
            v6: false,
        }
    }

    fn link(mut self, link: LinkType, src: [u8; 6]) -> Fixture {
        (self.link, self.macs) = (link, (src, [0; 6]));
        self
    }

    fn tunnel(mut self, count: u8, name: &'static str) -> Fixture {
        self.tunnels = (count, name);
        self
    }

    /// The innermost Ethernet header is that of `inner()`.
    fn inner(mut self) -> Fixture {
        self.macs = (C, D);
        self
    }

    fn vlans(mut self, outer: u16, inner: u16) -> Fixture {
        self.vlans = [outer, inner];
        self
    }

    fn v6(mut self) -> Fixture {
        self.v6 = true;
        self
    }
}

fn eth() -> Stack {
    Stack::new().eth(A, B)
}

fn over_ip() -> Stack {
    eth().ipv4(OUT1, OUT2)
}

fn over_udp(port: u16) -> Stack {
    over_ip().udp(50_000, port)
}

/// The segment that every fixture carries: ports 1025 and 502, payload `payload`.
pub trait Inside {
    fn segment(self) -> Stack;
    fn tcp4(self) -> Stack;
    fn tcp6(self) -> Stack;
    fn frame(self) -> Stack;
}

impl Inside for Stack {
    fn segment(self) -> Stack {
        let options = vec![2, 4, 5, 0xb4, 3, 3, 7];
        self.add(Tcp { src: 1_025, dst: 502, seq: 7, ack: 9, flags: 0x12, options, ..Tcp::default() })
            .payload(b"payload")
    }

    fn tcp4(self) -> Stack {
        self.ipv4(IP1, IP2).segment()
    }

    fn tcp6(self) -> Stack {
        self.ipv6(v6(1), v6(2)).segment()
    }

    fn frame(self) -> Stack {
        self.eth(C, D).tcp4()
    }
}

/// What comes before the packet in a netfilter log: its header value, a 5-byte prefix with padding, the sender's MAC.
fn nflog(order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let segment_len = 20 + 27 + 8;
    let value = |len, kind, bytes: &[u8]| [&order(len)[..], &order(kind), bytes].concat();
    [
        &[2, 0, 0, 40][..],
        &value(8, 1, &[8, 0, 1, 0]),
        &value(9, 10, b"drop\0\0\0\0"),
        &value(16, 8, &[&[0, 6, 0, 0][..], &A, &[0, 0]].concat()),
        &value(4 + segment_len, 9, &[]),
    ]
    .concat()
}

fn vlan(tpid: u16, vid: u16) -> Vlan {
    Vlan { tpid, vid, pcp: 4, ethertype: None }
}

/// The first four bytes of a port extender's tag.
fn extender(tpid: u16) -> Vlan {
    Vlan { tpid, vid: 7, pcp: 4, ethertype: Some(0x8001) }
}

/// All of them.
pub fn all() -> Vec<Fixture> {
    let mut out = links();
    out.extend(networks());
    out.extend(tunnels());
    out
}

fn links() -> Vec<Fixture> {
    let new = Fixture::new;
    let sll = |bytes: &[u8]| Stack::new().payload(bytes).tcp4();
    let ppp = |hdlc| Stack::new().add(Ppp { proto: None, hdlc }).tcp4();
    let sll1 = [&[0, 0, 0, 1, 0, 6][..], &A, &[0, 0, 8, 0]].concat();
    let sll2 = [&[8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6][..], &A, &[0, 0]].concat();
    let rct = |stack: Stack| stack.add(Prp { seq: 77, lan: 0xb, size: None });
    vec![
        new("ethernet", eth().tcp4()),
        new("padding", eth().add(Prp { seq: 1, lan: 3, size: None }).tcp4()),
        new("vlan", eth().vlan(5).tcp4()).vlans(5, 0xffff),
        new("qinq", eth().add(vlan(0x88a8, 6)).vlan(7).tcp4()).vlans(6, 7),
        new("three tags", eth().add(vlan(0x9100, 6)).vlan(7).vlan(8).tcp4()).vlans(6, 8),
        new("snap", eth().add(Snap::default()).tcp4()),
        new("vlan snap", eth().vlan(5).add(Snap::default()).tcp4()).vlans(5, 0xffff),
        new("prp", rct(eth()).tcp4()),
        new("prp vlan", rct(eth().vlan(5)).tcp4()).vlans(5, 0xffff),
        new("hsr", eth().add(Hsr { path: 1, seq: 77, ethertype: None }).tcp4()),
        new("vn-tag", eth().add(extender(0x8926)).payload(&[8, 0]).tcp4()),
        new("vn-tag vlan", eth().add(extender(0x8926)).payload(&[0x81, 0, 0, 5, 8, 0]).tcp4()).vlans(5, 0xffff),
        new("e-tag", eth().add(extender(0x893f)).payload(&[0, 5, 8, 0]).tcp4()),
        new("mpls", eth().add(Mpls { label: 16, ttl: 9 }).add(Mpls { label: 17, ttl: 9 }).tcp4()).tunnel(1, "mpls"),
        new("mpls v6", eth().add(Mpls { label: 2, ttl: 9 }).tcp6()).tunnel(1, "mpls").v6(),
        new("pseudowire", eth().add(Mpls { label: 16, ttl: 9 }).frame()).tunnel(1, "mpls").inner(),
        new("pseudowire control", eth().add(Mpls { label: 16, ttl: 9 }).payload(&[0; 4]).frame())
            .tunnel(1, "mpls")
            .inner(),
        new("pppoe", eth().add(Pppoe { session: 5 }).add(Ppp::default()).tcp4()).tunnel(1, "pppoe"),
        new("raw", Stack::new().tcp4()).link(LinkType::RAW, [0; 6]),
        new("raw v6", Stack::new().tcp6()).link(LinkType::IPV6, [0; 6]).v6(),
        new("null", Stack::new().payload(&[2, 0, 0, 0]).tcp4()).link(LinkType::NULL, [0; 6]),
        new("null v6", Stack::new().payload(&[0, 0, 0, 30]).tcp6()).link(LinkType::NULL, [0; 6]).v6(),
        new("loop", Stack::new().payload(&[0, 0, 0, 2]).tcp4()).link(LinkType::LOOP, [0; 6]),
        new("ppp", ppp(false)).link(LinkType::PPP, [0; 6]),
        new("ppp hdlc", ppp(true)).link(LinkType::PPP_HDLC, [0; 6]),
        new("ppp short", Stack::new().payload(&[0x21]).tcp4()).link(LinkType::PPP, [0; 6]),
        new("cisco hdlc", sll(&[0x0f, 0, 8, 0])).link(LinkType::CISCO_HDLC, [0; 6]),
        new("frame relay cisco", sll(&[0x18, 0x61, 8, 0])).link(LinkType::FRAME_RELAY, [0; 6]),
        new("frame relay", sll(&[0x18, 0x61, 3, 0xcc])).link(LinkType::FRAME_RELAY, [0; 6]),
        new("frame relay v6", Stack::new().payload(&[0x18, 0x60, 0x61, 3, 0x8e]).tcp6())
            .link(LinkType::FRAME_RELAY, [0; 6])
            .v6(),
        new("frame relay snap", sll(&[0x18, 0x61, 3, 0, 0x80, 0, 0, 0, 8, 0])).link(LinkType::FRAME_RELAY, [0; 6]),
        new("frame relay bridged", Stack::new().payload(&[0x18, 0x61, 3, 0, 0x80, 0, 0x80, 0xc2, 0, 7]).frame())
            .link(LinkType::FRAME_RELAY, [0; 6])
            .inner(),
        new("nflog", sll(&nflog(u16::to_le_bytes))).link(LinkType::NFLOG, A),
        new("nflog big end", sll(&nflog(u16::to_be_bytes))).link(LinkType::NFLOG, A),
        new("cooked", sll(&sll1)).link(LinkType::LINUX_SLL, A),
        new("cooked 2", sll(&sll2)).link(LinkType::LINUX_SLL2, A),
    ]
}

fn networks() -> Vec<Fixture> {
    let new = Fixture::new;
    let ipv6 = || eth().ipv6(v6(1), v6(2));
    let ext = |proto| Extension::Options(proto, vec![1, 4, 0, 0, 0, 0]);
    let routing = Extension::Options(43, vec![2, 0, 0, 0, 0, 0]);
    let atomic = Extension::Fragment { offset: 0, more: false, id: 5, next: None };
    let options = Ipv4 { src: IP1.into(), dst: IP2.into(), options: vec![0x94, 4, 0, 0], ..Ipv4::default() };
    let offload = Ipv4 { src: IP1.into(), dst: IP2.into(), total_len: Some(0), ..Ipv4::default() };
    let jumbo = Ipv6 { src: v6(1).into(), dst: v6(2).into(), payload_len: Some(0), ..Ipv6::default() };
    vec![
        new("ipv4 options", eth().add(options).segment()),
        new("ipv4 length zero", eth().add(offload).segment()),
        new("ipv4 auth", eth().ipv4(IP1, IP2).add(Extension::Auth(vec![0; 12])).segment()),
        new("ipv6", ipv6().segment()).v6(),
        new("ipv6 length zero", eth().add(jumbo).segment()).v6(),
        new("ipv6 chain", ipv6().add(ext(0)).add(routing).add(ext(60)).add(ext(135)).segment()).v6(),
        new("ipv6 auth", ipv6().add(Extension::Auth(vec![0; 12])).segment()).v6(),
        new("ipv6 atomic fragment", ipv6().add(atomic).segment()).v6(),
    ]
}

fn tunnels() -> Vec<Fixture> {
    let new = |name, tunnel, stack| Fixture::new(name, stack).tunnel(1, tunnel);
    let gre = |seq, ethertype| Gre { key: None, seq, checksum: false, ethertype };
    let keyed = Gre { key: Some(4), seq: Some(1), checksum: true, ethertype: None };
    let erspan3 = |o: u8| [&[0x20; 11][..], &[o], &vec![0; usize::from(o) * 8]].concat();
    // PPTP: key and sequence, version 1 with acknowledgement, call id 7 (RFC 2637 §4.1).
    let pptp = [0x30, 0x81, 0x88, 0x0b, 0, 60, 0, 7, 0, 0, 0, 1, 0, 0, 0, 1, 0xff, 3, 0, 0x21];
    let pptp_ip = Ipv4 { src: OUT1.into(), dst: OUT2.into(), proto: Some(47), ..Ipv4::default() };
    let inner_len = (eth().tcp4().bytes().len() - 14) as u16;
    let gtp = [&[0x36, 255][..], &(inner_len + 8).to_be_bytes(), &[0, 0, 0, 9, 0, 1, 0, 0x85, 1, 0, 0, 0]].concat();
    let geneve = |options: &[u8]| Geneve { vni: 5, options: options.to_vec(), ethertype: None };
    let teredo = over_udp(3_544).payload(&[0, 0, 1, 2, 3, 4, 5, 6]).ipv6([0x2001, 0, 1, 2, 3, 4, 5, 6], v6(2));
    let qinq = over_udp(4_789).add(Vxlan { vni: 5 }).eth(C, D).vlan(9).ipv4(IP1, IP2);
    vec![
        new("ipip", "ipip", over_ip().tcp4()),
        new("6in4", "6in4", over_ip().tcp6()).v6(),
        new("4in6", "4in6", eth().ipv6(v6(8), v6(9)).tcp4()),
        new("6in6", "6in6", eth().ipv6(v6(8), v6(9)).tcp6()).v6(),
        new("gre", "gre", over_ip().add(Gre::default()).tcp4()),
        new("gre v6", "gre", over_ip().add(gre(None, None)).tcp6()).v6(),
        new("gre key", "gre", over_ip().add(keyed.clone()).tcp4()),
        new("nvgre", "gre", over_ip().add(keyed).frame()).inner(),
        new("erspan 1", "erspan", over_ip().add(gre(None, Some(0x88be))).frame()).inner(),
        new("erspan 2", "erspan", over_ip().add(gre(Some(3), Some(0x88be))).payload(&[0x10; 8]).frame())
            .inner()
            .vlans(16, 0xffff),
        new("erspan 3", "erspan", over_ip().add(gre(Some(3), Some(0x22eb))).payload(&erspan3(0)).frame())
            .inner()
            .vlans(32, 0xffff),
        new("erspan 3 o", "erspan", over_ip().add(gre(Some(3), Some(0x22eb))).payload(&erspan3(1)).frame())
            .inner()
            .vlans(32, 0xffff),
        new("pptp", "pptp", eth().add(pptp_ip).payload(&pptp).tcp4()),
        new("vxlan", "vxlan", over_udp(4_789).add(Vxlan { vni: 5 }).frame()).inner(),
        new("vxlan vlan", "vxlan", qinq.segment()).inner().vlans(9, 0xffff),
        new("vxlan linux", "vxlan", over_udp(8_472).add(Vxlan { vni: 5 }).frame()).inner(),
        new("vxlan gpe", "vxlan", over_udp(4_790).payload(&[0x0c, 0, 0, 1, 0, 0, 5, 0]).tcp4()),
        new("geneve", "geneve", over_udp(6_081).add(geneve(&[])).frame()).inner(),
        new("geneve options", "geneve", over_udp(6_081).add(geneve(&[1, 2, 3, 0])).tcp4()),
        new("teredo", "teredo", teredo.ipv4(IP1, IP2).segment()).tunnel(2, "teredo"),
        new("gtp", "gtp", over_udp(2_152).payload(&gtp).tcp4()),
        new("gre in udp", "gre", over_udp(4_754).add(gre(Some(1), None)).tcp4()),
        // Identity of 16 bytes, signature of 20, forward, IPv6, as SixXS clients send it.
        new("ayiya", "ayiya", over_udp(5_072).payload(&[0x42, 0x52, 0x11, 41]).payload(&[7; 40]).tcp6()).v6(),
        new(
            "gre in vxlan",
            "vxlan",
            over_udp(4_789).add(Vxlan { vni: 5 }).eth(C, D).ipv4(OUT2, OUT1).add(Gre::default()).tcp4(),
        )
        .inner()
        .tunnel(2, "vxlan"),
    ]
}
