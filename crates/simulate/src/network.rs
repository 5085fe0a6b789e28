//! The hosts of the substation's network; addresses and habits of their stacks.

use std::net::Ipv4Addr;

/// A host with the habits of its TCP/IP stack.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: &'static str,
    pub(crate) mac: [u8; 6],
    /// The first three octets of its address; those of the station unless a router stands between.
    pub(crate) net: [u8; 3],
    pub(crate) last: u8,
    pub(crate) ttl: u8,
    pub(crate) window: u16,
    pub(crate) syn_options: &'static [u8],
    /// How long data waits for something to travel with its acknowledgement, in microseconds.
    pub(crate) ack_delay: u64,
}

impl Host {
    pub(crate) fn ip(&self) -> Ipv4Addr {
        let [a, b, c] = self.net;
        Ipv4Addr::new(a, b, c, self.last)
    }
}

const STATION: [u8; 3] = [10, 20, 1];
const LINUX: &[u8] = &[2, 4, 5, 0xb4, 1, 1, 4, 2, 1, 3, 3, 7];
const WINDOWS: &[u8] = &[2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2];
const EMBEDDED: &[u8] = &[2, 4, 5, 0xb4];

const fn linux(name: &'static str, mac: [u8; 6], last: u8) -> Host {
    Host { name, mac, net: STATION, last, ttl: 64, window: 502, syn_options: LINUX, ack_delay: 40_000 }
}

const fn windows(name: &'static str, mac: [u8; 6], last: u8) -> Host {
    Host { name, mac, net: STATION, last, ttl: 128, window: 1_026, syn_options: WINDOWS, ack_delay: 50_000 }
}

const fn device(name: &'static str, mac: [u8; 6], last: u8, ttl: u8, window: u16) -> Host {
    Host { name, mac, net: STATION, last, ttl, window, syn_options: EMBEDDED, ack_delay: 12_000 }
}

pub(crate) static GATEWAY: Host = linux("gw", [0x00, 0x90, 0xe8, 0x41, 0x10, 0x01], 1);
pub(crate) static SWITCH: Host = device("sw-01", [0x00, 0x80, 0x63, 0x5c, 0x22, 0x02], 2, 64, 5_840);
pub(crate) static DNS: Host = linux("dns", [0x00, 0x50, 0x56, 0x9a, 0x31, 0x04], 4);
pub(crate) static CLOCK: Host = device("clock", [0xec, 0x46, 0x70, 0x0a, 0x51, 0x05], 5, 64, 29_200);
pub(crate) static SCADA: Host = linux("scada-fe", [0x00, 0x50, 0x56, 0x9a, 0x31, 0x10], 10);
/// Takes over when the front end fails.
pub(crate) static BACKUP: Host = linux("scada-fe-2", [0x00, 0x50, 0x56, 0x9a, 0x31, 0x11], 11);
pub(crate) static HMI: Host = windows("hmi-01", [0x00, 0x14, 0x22, 0x7b, 0x40, 0x20], 20);
pub(crate) static WORKSTATION: Host = windows("ews-01", [0x00, 0x14, 0x22, 0x7b, 0x40, 0x30], 30);
/// Where vendors must log in first.
pub(crate) static JUMP: Host = windows("jump-01", [0x00, 0x50, 0x56, 0x9a, 0x31, 0x35], 35);
pub(crate) static HISTORIAN: Host = linux("historian", [0x00, 0x50, 0x56, 0x9a, 0x31, 0x40], 40);
pub(crate) static RTUS: [Host; 2] = [
    device("rtu-01", [0x00, 0x30, 0xa7, 0x12, 0x6e, 0x51], 51, 64, 8_192),
    device("rtu-02", [0x00, 0x30, 0xa7, 0x12, 0x6e, 0x52], 52, 64, 8_192),
];
pub(crate) static METER: Host = device("meter-01", [0x00, 0x80, 0xf4, 0x20, 0x18, 0x61], 61, 64, 4_096);
pub(crate) static PLC: Host = device("plc-01", [0x00, 0x80, 0xf4, 0x20, 0x18, 0x62], 62, 60, 2_920);
pub(crate) static OUTSTATION: Host = device("rtu-03", [0x00, 0x0e, 0x8c, 0xd1, 0x07, 0x71], 71, 30, 8_760);
pub(crate) static RELAYS: [Host; 3] = [
    device("relay-01", [0x00, 0x30, 0xa7, 0x1f, 0x03, 0x81], 81, 64, 4_380),
    device("relay-02", [0x00, 0x30, 0xa7, 0x1f, 0x03, 0x82], 82, 64, 4_380),
    device("relay-03", [0x00, 0x30, 0xa7, 0x1f, 0x03, 0x83], 83, 64, 4_380),
];
/// The meter that replaces the first one, by [`crate::Trap::Replacement`].
pub(crate) static SECOND_METER: Host = device("meter-01", [0x00, 0x80, 0xf4, 0x20, 0x2a, 0x9c], 61, 64, 4_096);
/// The technician's laptop of [`crate::Trap::RelayTest`].
pub(crate) static LAPTOP: Host = windows("tech-07", [0x54, 0xee, 0x75, 0x3c, 0x81, 0x19], 150);
/// The vendor's address of [`crate::Trap::Vendor`], far behind the router.
pub(crate) static VENDOR: Host = Host {
    name: "",
    mac: GATEWAY.mac,
    net: [198, 51, 100],
    last: 24,
    ttl: 113,
    window: 1_026,
    syn_options: WINDOWS,
    ack_delay: 50_000,
};
/// The server on the internet of [`crate::Attack::Beacon`] and [`crate::Attack::Exfiltration`].
pub(crate) static OUTSIDE: Host = Host {
    name: "",
    mac: GATEWAY.mac,
    net: [203, 0, 113],
    last: 88,
    ttl: 49,
    window: 501,
    syn_options: LINUX,
    ack_delay: 40_000,
};
/// The inventory scanner of [`crate::Trap::SiteScanner`].
pub(crate) static SITE_SCANNER: Host = linux("inventory", [0x00, 0x50, 0x56, 0x9a, 0x31, 0x45], 45);
/// The strange device of [`crate::Attack::Scan`].
pub(crate) static SCANNER: Host = linux("", [0x00, 0xe0, 0x4c, 0x68, 0x0b, 0xc7], 199);
/// The strange device of all other attacks.
pub(crate) static INTRUDER: Host = windows("", [0x00, 0xe0, 0x4c, 0x36, 0x1d, 0xb1], 177);

/// TCP ports on which a device listens.
pub(crate) fn services(host: &Host) -> &'static [u16] {
    match host.last {
        51 | 52 => &[20_000, 22],
        61 | 62 => &[502, 80],
        71 => &[2_404],
        81..=83 => &[80, 102],
        40 => &[443],
        35 => &[3_389],
        _ => &[],
    }
}

pub(crate) const BROADCAST: [u8; 6] = [0xff; 6];
