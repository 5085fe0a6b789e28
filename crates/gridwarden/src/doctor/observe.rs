//! What frames of an interface or a capture tell of the mirror that they came through.

use std::collections::HashMap;

use capture::Frame;
use gwcore::{Addr, Limits, Ts};
use packet::{Decoder, Outcome, Transport};

use super::Check;

/// Conversations that are told apart; further ones are not looked at for their direction.
const CONVERSATIONS: usize = 65_536;
/// Packets of a TCP conversation from which its answers should have been seen.
const ENOUGH: u32 = 3;
/// Bytes on the wire that no frame without merging has where the interface does not say: a full one with two tags.
const FULL_FRAME: u32 = 1_526;

/// Counts over frames.
pub struct Observed {
    decoder: Decoder,
    largest: u32,
    pub frames: u64,
    pub bytes: u64,
    first: Option<Ts>,
    last: Option<Ts>,
    undecoded: u64,
    to_one: u64,
    tagged: u64,
    twins: u64,
    merged: u64,
    cut: u64,
    /// TCP conversations: packets by direction.
    conversations: HashMap<(Addr, Addr, u16, u16), [u32; 2]>,
}

impl Observed {
    /// `mtu` of the interface, where there is one.
    pub fn new(mtu: Option<u32>) -> Observed {
        Observed {
            decoder: Decoder::new(&Limits::default(), packet::Options::default(), 0),
            // Ethernet header, two tags, checksum.
            largest: mtu.map_or(FULL_FRAME, |m| m.saturating_add(26)),
            frames: 0,
            bytes: 0,
            first: None,
            last: None,
            undecoded: 0,
            to_one: 0,
            tagged: 0,
            twins: 0,
            merged: 0,
            cut: 0,
            conversations: HashMap::new(),
        }
    }

    /// Takes a frame in.
    pub fn see(&mut self, frame: &Frame<'_>) {
        self.frames += 1;
        self.bytes += u64::from(frame.wire_len);
        self.first = Some(self.first.map_or(frame.ts, |t| t.min(frame.ts)));
        self.last = Some(self.last.map_or(frame.ts, |t| t.max(frame.ts)));
        self.cut += u64::from((frame.data.len() as u64) < u64::from(frame.wire_len));
        let decoded = self.decoder.decode(frame);
        let p = &decoded.packet;
        self.undecoded += u64::from(matches!(decoded.outcome, Outcome::Undecoded(_)));
        self.tagged += u64::from(p.link.vlans[0] != 0xffff);
        self.twins += u64::from(p.twin);
        self.to_one += u64::from(p.link.dst.0[0] & 1 == 0 && !p.link.dst.is_none());
        if let Transport::Tcp(t) = p.transport {
            self.merged += u64::from(frame.wire_len > self.largest);
            let there = (p.src, p.dst, t.src_port, t.dst_port);
            let back = (p.dst, p.src, t.dst_port, t.src_port);
            let (key, way) = if there <= back { (there, 0) } else { (back, 1) };
            if self.conversations.len() < CONVERSATIONS || self.conversations.contains_key(&key) {
                let ways = self.conversations.entry(key).or_default();
                ways[way] = ways[way].saturating_add(1);
            }
        }
    }

    /// Seconds between the first and the last frame.
    pub fn seconds(&self) -> f64 {
        self.first.zip(self.last).map_or(0.0, |(a, b)| b.since(a) as f64 / 1e9)
    }

    /// What it comes to; `place` is the interface or file.
    pub fn checks(&self, place: &str) -> Vec<Check> {
        let name = |what: &str| format!("{what} of {place}");
        if self.frames == 0 {
            return vec![Check::error(
                name("traffic"),
                "no packets",
                "the feed is silent: nothing is monitored here",
                "check the cable, the mirror session (source ports and destination) and that the interface is up: ip link set IFACE up",
            )];
        }
        let mut all = vec![Check::good(name("traffic"), format!("{} packets, {} bytes", self.frames, self.bytes))];
        let long = self.conversations.values().filter(|w| w[0] + w[1] >= ENOUGH);
        let (mut looked, mut one_way) = (0u64, 0u64);
        for ways in long {
            looked += 1;
            one_way += u64::from(ways[0] == 0 || ways[1] == 0);
        }
        let share = |n: u64, of: u64| n as f64 * 100.0 / of.max(1) as f64;
        all.push(match looked {
            0 => Check::not(name("directions"), "no TCP conversation is long enough to tell"),
            _ if share(one_way, looked) >= 50.0 => Check::error(
                name("directions"),
                format!("{one_way} of {looked} TCP conversations show one direction only"),
                "the mirror port delivers one direction: responses and refusals cannot be judged",
                "mirror both directions of the source ports (rx and tx), or connect both sides of the tap",
            ),
            _ if one_way > 0 => {
                Check::good(name("directions"), format!("both, except in {one_way} of {looked} TCP conversations"))
            }
            _ => Check::good(name("directions"), format!("both, in all {looked} TCP conversations")),
        });
        all.push(if self.to_one == 0 {
            Check::error(
                name("addressees"),
                "only broadcast and multicast traffic",
                "this is not a mirror port: it only receives what every port of the switch receives",
                "configure this port as the destination of a mirror session",
            )
        } else {
            Check::good(name("addressees"), format!("{:.0} % unicast", share(self.to_one, self.frames)))
        });
        all.push(if share(self.twins, self.frames) >= 1.0 {
            Check::warning(
                name("duplicates"),
                format!("{:.0} % of the packets arrive twice", share(self.twins, self.frames)),
                "the mirror copies packets both on ingress and on egress; duplicates are dropped, but they cost capture capacity",
                "mirror each packet once: one direction per source port, or a VLAN as the source",
            )
        } else {
            Check::good(name("duplicates"), format!("{} of {} packets", self.twins, self.frames))
        });
        all.push(if self.tagged > 0 {
            Check::good(
                name("VLAN tags"),
                format!("kept: {:.0} % of the packets are tagged", share(self.tagged, self.frames)),
            )
        } else {
            Check::good(name("VLAN tags"), "none: fine on an untagged network; on a trunk the mirror strips them")
        });
        all.push(if self.merged > 0 {
            Check::warning(
                name("packet sizes"),
                format!("{} TCP packets are larger than the MTU", self.merged),
                "the network card or the kernel merged segments: order and timing of single packets are lost",
                "turn off receive offload on the capturing machine: ethtool -K IFACE gro off lro off",
            )
        } else {
            Check::good(name("packet sizes"), "as on the wire")
        });
        if self.cut > 0 {
            all.push(Check::error(
                name("snap length"),
                format!("{} of {} packets are truncated", self.cut, self.frames),
                "the missing bytes were not analysed",
                "capture whole packets: tcpdump -s 0, or no --snaplen",
            ));
        }
        if self.undecoded * 2 > self.frames {
            all.push(Check::warning(
                name("decoding"),
                format!("{} of {} packets could not be decoded", self.undecoded, self.frames),
                "the mirror may encapsulate packets in an unknown way, or truncate them",
                "run `gridwarden analyze` on a capture: it lists the reasons",
            ));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;
    use capture::LinkType;
    use testkit::Stack;

    fn verdicts(frames: &[Vec<u8>]) -> Vec<(String, Verdict)> {
        let mut seen = Observed::new(None);
        for (n, data) in frames.iter().enumerate() {
            let ts = Ts(n as i64 * 1_000_000_000);
            let (link, wire_len) = (LinkType::ETHERNET, data.len() as u32);
            seen.see(&Frame { seq: n as u64, ts, file: 0, number: n as u64 + 1, interface: 0, link, wire_len, data });
        }
        seen.checks("x").into_iter().map(|c| (c.name, c.verdict)).collect()
    }

    fn tcp(back: bool, n: u8, len: usize) -> Vec<u8> {
        let (a, b) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        let eth = Stack::new().eth([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let payload = vec![n; len];
        match back {
            false => eth.ipv4(a, b).tcp(1025, 502).payload(&payload).bytes(),
            true => eth.ipv4(b, a).tcp(502, 1025).payload(&payload).bytes(),
        }
    }

    #[track_caller]
    fn is(list: &[(String, Verdict)], name: &str, verdict: Verdict) {
        let found = list.iter().find(|(n, _)| n.starts_with(name)).unwrap_or_else(|| panic!("{name}: {list:?}"));
        assert_eq!(found.1, verdict, "{name}");
    }

    #[test]
    fn one_direction_is_told_and_both_are_good() {
        let one: Vec<_> = (0..6).map(|n| tcp(false, n, 10)).collect();
        is(&verdicts(&one), "directions", Verdict::Error);
        let both: Vec<_> = (0..6).map(|n| tcp(n % 2 == 1, n, 10)).collect();
        let told = verdicts(&both);
        is(&told, "directions", Verdict::Good);
        is(&told, "packet sizes", Verdict::Good);
        is(&told, "addressees", Verdict::Good);
    }

    #[test]
    fn silence_merging_and_broadcast_are_told() {
        is(&verdicts(&[]), "traffic", Verdict::Error);
        is(&verdicts(&[tcp(false, 1, 4_000)]), "packet sizes", Verdict::Warning);
        let mut to_all = tcp(false, 1, 10);
        to_all[..6].fill(0xff);
        is(&verdicts(&[to_all]), "addressees", Verdict::Error);
    }
}
