//! Which protocol a port, an EtherType or an IP protocol number is registered for, as far as that matters in a plant: facts, not guesses.

/// What carries a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Numbered {
    /// A TCP port.
    Tcp,
    /// A UDP port.
    Udp,
    /// An EtherType (IEEE 802 Numbers); 0 for frames with an IEEE 802.3 length and LLC.
    EtherType,
    /// An IP protocol number.
    Ip,
}

impl Numbered {
    /// `tcp`, `udp`, `ethertype`, `ip`.
    pub fn name(self) -> &'static str {
        match self {
            Numbered::Tcp => "tcp",
            Numbered::Udp => "udp",
            Numbered::EtherType => "ethertype",
            Numbered::Ip => "ip",
        }
    }

    /// A number as it is usually written: `tcp/502`, `ethertype 0x88b8`, `ip protocol 89`.
    pub fn say(self, number: u16) -> String {
        match self {
            Numbered::Tcp | Numbered::Udp => format!("{}/{number}", self.name()),
            Numbered::EtherType => format!("ethertype {number:#06x}"),
            Numbered::Ip => format!("ip protocol {number}"),
        }
    }
}

/// What a number is registered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The protocol's name.
    pub name: &'static str,
    /// A protocol by which plant equipment is read, commanded, protected or configured.
    pub utility: bool,
}

/// Utility protocols by port, TCP and UDP alike: IANA's registry of service names and ports; where a vendor's documentation is the only
/// source, its product is named.
#[rustfmt::skip]
const UTILITY_PORTS: &[(u16, u16, &str)] = &[
    (102, 102, "ISO transport (MMS, ICCP/TASE.2, S7comm)"),
    (502, 502, "Modbus"),
    (802, 802, "Modbus/TCP Security"),
    (789, 789, "Red Lion Crimson"),
    (1089, 1091, "Foundation Fieldbus HSE"),
    (1153, 1153, "ANSI C12.22 metering"),
    (1217, 1217, "CODESYS"),
    (1911, 1911, "Niagara Fox"),
    (1962, 1962, "PCWorx"),
    (2221, 2221, "EtherNet/IP over TLS"),
    (2222, 2222, "EtherNet/IP implicit I/O"),
    (2404, 2404, "IEC 60870-5-104"),
    (2455, 2455, "CODESYS (WAGO)"),
    (3622, 3622, "Foundation Fieldbus HSE LAN redundancy"),
    (3782, 3782, "ISO transport over TLS (secure MMS)"),
    (4000, 4000, "Emerson ROC"),
    (4059, 4059, "DLMS/COSEM metering"),
    (4712, 4713, "IEEE C37.118 synchrophasors"),
    (4840, 4840, "OPC UA"),
    (4843, 4843, "OPC UA over TLS"),
    (4911, 4911, "Niagara Fox over TLS"),
    (5006, 5007, "Mitsubishi MELSEC"),
    (5065, 5065, "Telvent OASyS DNA"),
    (5094, 5094, "HART-IP"),
    (5450, 5450, "OSIsoft PI"),
    (9600, 9600, "Omron FINS"),
    (12_135, 12_137, "Telvent OASyS DNA"),
    (18_245, 18_246, "GE SRTP"),
    (19_998, 19_998, "IEC 60870-5-104 over TLS"),
    (19_999, 19_999, "DNP3 over TLS"),
    (20_000, 20_000, "DNP3"),
    (20_547, 20_547, "ProConOS"),
    (34_962, 34_964, "PROFINET"),
    (34_980, 34_980, "EtherCAT"),
    (41_100, 41_100, "Sielco Sistemi Winlog"),
    (44_818, 44_818, "EtherNet/IP"),
    (45_678, 45_678, "Foxboro/Invensys AIMAPI"),
    (47_808, 47_823, "BACnet/IP"),
];

/// Other protocols by port, TCP and UDP alike (IANA).
#[rustfmt::skip]
const PORTS: &[(u16, u16, &str)] = &[
    (7, 7, "echo"), (9, 9, "discard"), (19, 19, "chargen"), (20, 20, "FTP data"), (21, 21, "FTP"), (22, 22, "SSH"), (23, 23, "Telnet"),
    (25, 25, "SMTP"), (43, 43, "whois"), (49, 49, "TACACS+"), (53, 53, "DNS"), (67, 68, "DHCP"), (69, 69, "TFTP"), (79, 79, "finger"),
    (80, 80, "HTTP"), (88, 88, "Kerberos"), (110, 110, "POP3"), (111, 111, "RPC portmapper"), (123, 123, "NTP"), (135, 135, "DCE/RPC"),
    (137, 137, "NetBIOS name service"), (138, 138, "NetBIOS datagram"), (139, 139, "NetBIOS session"), (143, 143, "IMAP"),
    (161, 161, "SNMP"), (162, 162, "SNMP traps"), (179, 179, "BGP"), (319, 320, "PTP"), (389, 389, "LDAP"), (427, 427, "SLP"),
    (443, 443, "HTTPS"), (445, 445, "SMB"), (465, 465, "SMTP over TLS"), (500, 500, "IKE"), (513, 513, "rlogin"), (514, 514, "syslog"),
    (515, 515, "LPD"), (520, 520, "RIP"), (546, 547, "DHCPv6"), (554, 554, "RTSP"), (587, 587, "SMTP submission"), (623, 623, "IPMI"),
    (631, 631, "IPP"), (636, 636, "LDAP over TLS"), (646, 646, "LDP"), (853, 853, "DNS over TLS"), (873, 873, "rsync"),
    (989, 990, "FTP over TLS"), (993, 993, "IMAP over TLS"), (995, 995, "POP3 over TLS"), (1080, 1080, "SOCKS"), (1194, 1194, "OpenVPN"),
    (1433, 1434, "Microsoft SQL Server"), (1521, 1521, "Oracle"), (1645, 1646, "RADIUS (old port)"), (1701, 1701, "L2TP"),
    (1723, 1723, "PPTP"), (1812, 1813, "RADIUS"), (1883, 1883, "MQTT"), (1900, 1900, "SSDP"), (1985, 1985, "HSRP"), (2049, 2049, "NFS"),
    (2055, 2055, "NetFlow"), (3128, 3128, "HTTP proxy"), (3222, 3222, "GLBP"), (3260, 3260, "iSCSI"), (3268, 3269, "Active Directory"),
    (3306, 3306, "MySQL"), (3389, 3389, "RDP"), (3478, 3478, "STUN"), (3544, 3544, "Teredo"), (3702, 3702, "WS-Discovery"),
    (4500, 4500, "IPsec NAT traversal"), (4739, 4739, "IPFIX"), (4789, 4789, "VXLAN"),
    (5060, 5061, "SIP"), (5222, 5222, "XMPP"), (5353, 5353, "mDNS"), (5355, 5355, "LLMNR"), (5432, 5432, "PostgreSQL"),
    (5671, 5672, "AMQP"), (5683, 5684, "CoAP"), (5900, 5903, "VNC"), (5938, 5938, "TeamViewer"), (5985, 5986, "WinRM"), (6379, 6379, "Redis"),
    (6514, 6514, "syslog over TLS"), (8000, 8000, "HTTP (alternative)"), (8080, 8080, "HTTP (alternative)"), (8443, 8443, "HTTPS (alternative)"),
    (8883, 8883, "MQTT over TLS"), (9092, 9092, "Kafka"), (9100, 9100, "printing (PDL)"), (11_211, 11_211, "memcached"),
    (17_500, 17_500, "Dropbox LAN sync"), (27_017, 27_017, "MongoDB"),
];

/// EtherTypes (IEEE 802 Numbers); `true` marks a utility protocol.
#[rustfmt::skip]
const ETHER_TYPES: &[(u16, &str, bool)] = &[
    (0x0000, "IEEE 802.3 LLC", false), (0x0806, "ARP", false), (0x0842, "Wake-on-LAN", false), (0x6003, "DECnet", false),
    (0x8100, "VLAN", false), (0x8204, "QNX", false), (0x8137, "IPX", false), (0x8809, "slow protocols (LACP, OAM)", false),
    (0x8847, "MPLS", false), (0x8848, "MPLS", false), (0x8863, "PPPoE", false), (0x8864, "PPPoE", false),
    (0x886d, "Intel adapter teaming", false), (0x887b, "HomePlug", false), (0x888e, "EAPOL", false), (0x8892, "PROFINET", true),
    (0x889a, "HyperSCSI", false), (0x88a2, "ATA over Ethernet", false), (0x88a4, "EtherCAT", true), (0x88ab, "Ethernet Powerlink", true),
    (0x88b5, "IEEE local experiments", false), (0x88b6, "IEEE local experiments", false), (0x88b8, "GOOSE (IEC 61850)", true),
    (0x88b9, "GSE management (IEC 61850)", true), (0x88ba, "sampled values (IEC 61850)", true), (0x88bf, "MikroTik", false),
    (0x88c7, "pre-authentication", false), (0x88cc, "LLDP", false), (0x88cd, "SERCOS III", true), (0x88e1, "HomePlug AV", false),
    (0x88e3, "MRP (IEC 62439-2)", false), (0x88e5, "MACsec", false), (0x88e7, "provider backbone bridge", false),
    (0x88f5, "MVRP", false), (0x88f7, "PTP", false), (0x88fb, "PRP or HSR supervision (IEC 62439-3)", false),
    (0x8902, "connectivity fault management", false), (0x8906, "Fibre Channel", false), (0x890d, "IEEE 802.11 management", false),
    (0x8912, "powerline (MediaXtreme)", false), (0x892f, "HSR (IEC 62439-3)", false), (0x893a, "IEEE 1905", false),
    (0x8940, "edge control", false), (0x9000, "loopback test", false), (0xf1c1, "frame replication (IEEE 802.1CB)", false),
];

/// IP protocol numbers (IANA).
#[rustfmt::skip]
const IP_PROTOCOLS: &[(u16, &str)] = &[
    (0, "IPv6 hop-by-hop options"), (1, "ICMP"), (2, "IGMP"), (4, "IPv4 in IP"), (6, "TCP"), (17, "UDP"), (41, "IPv6 in IP"), (46, "RSVP"),
    (47, "GRE"), (50, "IPsec ESP"), (51, "IPsec AH"), (58, "ICMPv6"), (88, "EIGRP"), (89, "OSPF"), (94, "IP in IP"),
    (97, "Ethernet in IP"), (103, "PIM"), (108, "IPComp"), (112, "VRRP"), (115, "L2TP"), (132, "SCTP"), (136, "UDP-Lite"), (137, "MPLS in IP"),
];

/// What a number is registered for; none where nothing that matters here is.
pub fn registered(kind: Numbered, number: u16) -> Option<Registered> {
    let within = |table: &[(u16, u16, &'static str)], utility| {
        let found = table.iter().find(|(from, to, _)| (*from..=*to).contains(&number));
        found.map(|(.., name)| Registered { name, utility })
    };
    match kind {
        Numbered::Tcp | Numbered::Udp => within(UTILITY_PORTS, true).or_else(|| within(PORTS, false)),
        Numbered::EtherType => {
            let found = ETHER_TYPES.iter().find(|(n, ..)| *n == number);
            found.map(|(_, name, utility)| Registered { name, utility: *utility })
        }
        Numbered::Ip => {
            let found = IP_PROTOCOLS.iter().find(|(n, _)| *n == number);
            found.map(|(_, name)| Registered { name, utility: false })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utility_protocols_are_known_by_their_numbers() {
        let name = |kind, n| registered(kind, n).map(|r| (r.name, r.utility));
        assert_eq!(name(Numbered::Tcp, 44_818), Some(("EtherNet/IP", true)));
        assert_eq!(name(Numbered::Udp, 2_222), Some(("EtherNet/IP implicit I/O", true)));
        assert_eq!(name(Numbered::Tcp, 4_713), Some(("IEEE C37.118 synchrophasors", true)));
        assert_eq!(name(Numbered::Udp, 47_809), Some(("BACnet/IP", true)));
        assert_eq!(name(Numbered::EtherType, 0x88ba), Some(("sampled values (IEC 61850)", true)));
        assert_eq!(name(Numbered::Tcp, 1_883), Some(("MQTT", false)));
        assert_eq!(name(Numbered::Ip, 89), Some(("OSPF", false)));
        assert_eq!(name(Numbered::Tcp, 61_234), None);
        assert_eq!(Numbered::EtherType.say(0x88ba), "ethertype 0x88ba");
        assert_eq!(Numbered::Udp.say(47_808), "udp/47808");
    }

    #[test]
    fn no_range_is_turned_or_told_twice() {
        for table in [UTILITY_PORTS, PORTS] {
            assert!(table.iter().all(|(from, to, name)| from <= to && !name.is_empty()));
        }
        for (from, to, name) in PORTS {
            assert!(!UTILITY_PORTS.iter().any(|(a, b, _)| from <= b && a <= to), "{name}");
        }
    }
}
