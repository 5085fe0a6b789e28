//! What the report shows beside findings: who talks to whom, which points there are, what was commanded, when there was activity and when
//! there was none. Collected from facts.

use std::collections::BTreeMap;
use std::sync::Arc;

use detect::{Declared, Inventory, Site};
use gwcore::{Addr, Body, Fact, FlowConst, Limit, LimitHits, Limits, Mac, OpClass, PointId, Sample, Table, Ts};

use crate::commands::{Asked, Came, Command, Commands, address, function};
use crate::feed::Feed;

/// Steps of the activity line; a capture of any length is drawn with 60 to 120 of them.
const STEPS: usize = 120;
/// Width of a step at first, in ns.
const FIRST_STEP: i64 = 1_000_000_000;

/// One end of a conversation on the wire.
pub(crate) type End = (Mac, Addr);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct TalkKey {
    client: End,
    server: End,
    proto: &'static str,
}

#[derive(Default)]
struct Seen {
    conversations: u64,
    packets: u64,
    bytes: u64,
    commands: u64,
    one_sided: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct PointKey {
    proto: &'static str,
    server: End,
    point: PointId,
}

struct Values {
    reads: u64,
    writes: u64,
    first: f64,
    last: f64,
    min: f64,
    max: f64,
    bad: u64,
    /// Last value that was read or reported.
    read: Option<f64>,
}

/// Collects while facts pass by.
pub struct Watch {
    talks: Table<TalkKey, Seen>,
    points: Table<PointKey, Values>,
    commands: Commands,
    feed: Feed,
    activity: Activity,
    limits: [usize; 2],
    /// Limits hit.
    pub hits: LimitHits,
}

/// A conversation between two devices in one protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct Talk {
    /// Device id of the client, or its address.
    pub client: String,
    /// Device id of the server, or its address.
    pub server: String,
    /// Protocol; empty where none was recognised.
    pub proto: &'static str,
    /// Conversations that ended.
    pub conversations: u64,
    /// Packets of both sides.
    pub packets: u64,
    /// Payload bytes of both sides.
    pub bytes: u64,
    /// Commands and changes asked for, reads left out.
    pub commands: u64,
    /// Conversations in which one side was never seen.
    pub one_sided: u64,
}

/// A point of a device and what was seen of it.
#[derive(Clone, Debug, PartialEq)]
pub struct PointSeen {
    /// Device id of the server, or its address.
    pub server: String,
    /// Protocol.
    pub proto: &'static str,
    /// Which point.
    pub point: PointId,
    /// What the site calls it; empty where it does not.
    pub name: String,
    /// Values read or reported.
    pub reads: u64,
    /// Values written or commanded.
    pub writes: u64,
    /// First, last, smallest and largest value, in the site's words.
    pub values: [String; 4],
    /// Values of bad quality.
    pub bad: u64,
}

/// Everything collected, in a fixed order.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// By packets, most first.
    pub talks: Vec<Talk>,
    /// By server, protocol and address.
    pub points: Vec<PointSeen>,
    /// By time.
    pub commands: Vec<Command>,
    /// What is missing of the capture.
    pub feed: Feed,
    /// Begin of the activity line.
    pub start: Ts,
    /// Width of its steps in ns.
    pub step: i64,
    /// Values and operations of utility protocols per step.
    pub activity: Vec<u64>,
    /// First and last packet, where any was read.
    pub span: Option<(Ts, Ts)>,
}

impl Watch {
    /// Nothing seen yet.
    pub fn new(limits: &Limits) -> Watch {
        Watch {
            talks: Table::default(),
            points: Table::default(),
            commands: Commands::new(limits.get(Limit::ReportCommands)),
            feed: Feed::default(),
            activity: Activity { start: None, step: FIRST_STEP, counts: Vec::new() },
            limits: [limits.get(Limit::ReportTalks), limits.get(Limit::ReportPoints)],
            hits: LimitHits::default(),
        }
    }

    /// Takes the facts of a batch.
    pub fn batch(&mut self, facts: &[Fact], flows: &[FlowConst]) {
        for fact in facts {
            if let Some(flow) = flows.get(fact.flow.index()) {
                self.fact(fact, flow);
            }
        }
    }

    fn fact(&mut self, fact: &Fact, flow: &FlowConst) {
        let (orig, resp) = ((flow.src_mac, flow.src), (flow.dst_mac, flow.dst));
        let (sender, receiver) = if fact.flow.reversed() { (resp, orig) } else { (orig, resp) };
        match &fact.body {
            Body::Service { proto, server_is_responder } => {
                let (client, server) = if *server_is_responder { (orig, resp) } else { (resp, orig) };
                self.talk(TalkKey { client, server, proto });
            }
            Body::FlowEnd { packets, bytes, service, .. } => {
                let service = if service.is_empty() { below(flow) } else { service };
                let turned = TalkKey { client: resp, server: orig, proto: service };
                let straight = TalkKey { client: orig, server: resp, proto: service };
                let key = if self.talks.contains_key(&turned) { turned } else { straight };
                let Some(seen) = self.talk(key) else { return };
                seen.conversations += 1;
                seen.packets = seen.packets.saturating_add(packets[0]).saturating_add(packets[1]);
                seen.bytes = seen.bytes.saturating_add(bytes[0]).saturating_add(bytes[1]);
                seen.one_sided += u64::from(packets.contains(&0) && !is_group(resp));
            }
            Body::Op(op) if op.is_answer => self.commands.answered(op, (receiver, sender)),
            Body::Op(op) => {
                self.activity.at(fact.ts);
                let point = op.point.map(|point| PointKey { proto: op.proto, server: receiver, point });
                let before = point.and_then(|key| self.points.get(&key)).and_then(|v| v.read);
                self.commands.asked((fact, flow), op, (sender, receiver), before, &mut self.hits);
                if !matches!(op.class, OpClass::Read | OpClass::Identify | OpClass::Other)
                    && let Some(seen) = self.talk(TalkKey { client: sender, server: receiver, proto: op.proto })
                {
                    seen.commands += 1;
                }
            }
            Body::Sample(sample) => {
                self.activity.at(fact.ts);
                self.sample(fact.ts, sample, if sample.write { receiver } else { sender });
            }
            Body::Tick { .. } => self.feed.tick(fact.ts),
            Body::TimeBreak { .. } => self.feed.back(fact.ts),
            Body::Gap { missing } => self.feed.gap(*missing),
            _ => {}
        }
    }

    fn talk(&mut self, key: TalkKey) -> Option<&mut Seen> {
        if self.talks.len() >= self.limits[0] && !self.talks.contains_key(&key) {
            self.hits.hit(Limit::ReportTalks);
            return None;
        }
        Some(self.talks.entry(key).or_default())
    }

    fn sample(&mut self, ts: Ts, s: &Sample, server: End) {
        if !s.write {
            self.commands.read(s.proto, server, s.point, ts, s.value);
        }
        let key = PointKey { proto: s.proto, server, point: s.point };
        if self.points.len() >= self.limits[1] && !self.points.contains_key(&key) {
            self.hits.hit(Limit::ReportPoints);
            return;
        }
        let v = self.points.entry(key).or_insert(Values {
            reads: 0,
            writes: 0,
            first: s.value,
            last: s.value,
            min: s.value,
            max: s.value,
            bad: 0,
            read: None,
        });
        if !s.write {
            v.read = Some(s.value);
        }
        *(if s.write { &mut v.writes } else { &mut v.reads }) += 1;
        (v.last, v.min, v.max) = (s.value, v.min.min(s.value), v.max.max(s.value));
        v.bad += u64::from(!s.good);
    }

    /// What was collected, with the devices named as the inventory does and points as the site does; `files` are the captures by index,
    /// `span` is the first and last packet.
    pub fn finish(self, inventory: &Inventory, site: &Site, files: &[Arc<str>], span: Option<(Ts, Ts)>) -> Overview {
        let words = Words { inventory, site, files };
        let mut points: Vec<PointSeen> = self.points.into_iter().map(|(k, v)| words.point(&k, &v)).collect();
        points.sort_by(|a, b| (&a.server, a.proto, a.point).cmp(&(&b.server, b.proto, b.point)));
        Overview {
            talks: talks(self.talks, &words),
            points,
            commands: self.commands.finish().iter().map(|(asked, came)| words.command(asked, came)).collect(),
            feed: self.feed,
            start: self.activity.start.unwrap_or_default(),
            step: self.activity.step,
            activity: self.activity.counts,
            span,
        }
    }
}

fn talks(seen: Table<TalkKey, Seen>, words: &Words<'_>) -> Vec<Talk> {
    let mut talks: BTreeMap<(String, String, &'static str), Talk> = BTreeMap::new();
    for (k, seen) in seen {
        let (client, server) = (words.name(k.client), words.name(k.server));
        let talk = talks.entry((client.clone(), server.clone(), k.proto)).or_insert(Talk {
            client,
            server,
            proto: k.proto,
            conversations: 0,
            packets: 0,
            bytes: 0,
            commands: 0,
            one_sided: 0,
        });
        talk.conversations += seen.conversations;
        talk.packets = talk.packets.saturating_add(seen.packets);
        talk.bytes = talk.bytes.saturating_add(seen.bytes);
        talk.commands += seen.commands;
        talk.one_sided += seen.one_sided;
    }
    let mut talks: Vec<Talk> = talks.into_values().collect();
    talks.sort_by_key(|t| std::cmp::Reverse(t.packets));
    talks
}

/// Ends and points in the words of inventory and site.
struct Words<'a> {
    inventory: &'a Inventory,
    site: &'a Site,
    files: &'a [Arc<str>],
}

impl Words<'_> {
    fn name(&self, (mac, addr): End) -> String {
        self.inventory.id(mac, addr).map_or_else(|| address((mac, addr)), str::to_owned)
    }

    fn declared(&self, (mac, addr): End) -> Option<&Declared> {
        self.site.declared([addr.to_string().as_str(), mac.to_string().as_str()])
    }

    fn say(&self, server: End, proto: &str, point: PointId, value: f64) -> String {
        let declared = self.declared(server).and_then(|d| d.point(proto, point));
        declared.map_or_else(|| crate::html::value(value), |p| p.say(value))
    }

    fn point(&self, k: &PointKey, v: &Values) -> PointSeen {
        let declared = self.declared(k.server).and_then(|d| d.point(k.proto, k.point));
        PointSeen {
            server: self.name(k.server),
            proto: k.proto,
            point: k.point,
            name: declared.map(|p| p.name.clone()).unwrap_or_default(),
            reads: v.reads,
            writes: v.writes,
            values: [v.first, v.last, v.min, v.max].map(|value| self.say(k.server, k.proto, k.point, value)),
            bad: v.bad,
        }
    }

    fn command(&self, asked: &Asked, came: &Came) -> Command {
        let Asked { device, proto, .. } = *asked;
        let say = |v| asked.point.map_or_else(|| crate::html::value(v), |p| self.say(device, proto, p, v));
        let place = |p: PointId| {
            let address = p.say(proto);
            match self.declared(device).and_then(|d| d.point(proto, p)) {
                Some(declared) => format!("{} ({address})", declared.name),
                None => address,
            }
        };
        let action = if asked.action.is_empty() { String::new() } else { format!(" ({})", asked.action) };
        Command {
            source: self.name(asked.source),
            device: self.name(device),
            proto,
            name: format!("{}{action}", function(asked.name)),
            class: asked.class,
            point: asked.point.map(place).unwrap_or_default(),
            values: came.values.map(|(first, last)| (say(first), say(last))),
            span: (came.first, came.last),
            count: came.count,
            accepted: came.accepted,
            refused: (came.refused, came.reason),
            before: came.before.map(say),
            after: came.after.map(|(ts, v)| (ts, say(v))),
            packet: (self.files.get(came.file as usize).map(|f| f.to_string()).unwrap_or_default(), came.frame),
        }
    }
}

/// Whether nobody answers for an end: a group, or all.
fn is_group((mac, addr): End) -> bool {
    addr.is_multicast() || mac.is_group()
}

/// Counts per step of time; the steps double whenever the line grows too long.
struct Activity {
    start: Option<Ts>,
    step: i64,
    counts: Vec<u64>,
}

impl Activity {
    fn at(&mut self, ts: Ts) {
        let start = *self.start.get_or_insert(ts);
        let mut place = usize::try_from(ts.since(start).max(0) / self.step).unwrap_or(usize::MAX);
        while place >= STEPS {
            let halved = self.counts.chunks(2).map(|pair| pair.iter().sum()).collect();
            self.counts = halved;
            self.step = self.step.saturating_mul(2);
            place /= 2;
        }
        if self.counts.len() <= place {
            self.counts.resize(place + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
    }
}

/// What a conversation without a recognised protocol is called by its EtherType (IANA, IEEE 802 Numbers), group address (IEEE 802.1Q §8.6.3)
/// or IP protocol number (IANA); nothing where that says nothing.
fn below(flow: &FlowConst) -> &'static str {
    let Mac(to) = flow.dst_mac;
    match flow.ip_proto {
        _ if flow.src.is_none() => match (flow.src_port, to) {
            (0x0806, _) => "arp",
            (0x88cc, _) => "lldp",
            (0x888e, _) => "eapol",
            (0x8892, _) => "profinet",
            (0x88ba, _) => "sampled values",
            (0x88f7, _) => "ptp",
            (0x88fb | 0x892f, _) => "prp or hsr",
            (0x88e1 | 0x893a | 0x8912, _) => "powerline",
            (0x8863 | 0x8864, _) => "pppoe",
            (0x8809, _) => "lacp or oam",
            (0x9000, _) => "loopback test",
            (0, [1, 0x80, 0xc2, 0, 0, 0]) => "stp",
            (0, [1, 0, 0x0c, 0xcc, 0xcc, 0xcc | 0xcd]) => "cisco link protocols",
            _ => "",
        },
        1 => "icmp",
        2 => "igmp",
        47 => "gre",
        50 | 51 => "ipsec",
        58 => "icmp6",
        88 => "eigrp",
        89 => "ospf",
        103 => "pim",
        112 => "vrrp",
        132 => "sctp",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_activity_line_keeps_every_count_however_long_it_grows() {
        let mut a = Activity { start: None, step: FIRST_STEP, counts: Vec::new() };
        for s in 0..100_000_i64 {
            a.at(Ts(s * FIRST_STEP));
        }
        // What lies before the first moment is counted there.
        a.at(Ts(-FIRST_STEP));
        assert_eq!(a.counts.iter().sum::<u64>(), 100_001);
        assert!((STEPS / 2..=STEPS).contains(&a.counts.len()), "{}", a.counts.len());
        assert_eq!(a.step, 1_024 * FIRST_STEP);
        a.at(Ts(i64::MAX));
        assert!(a.counts.len() <= STEPS);
    }

    #[test]
    fn what_no_parser_reads_is_called_by_its_number() {
        let link = |ethertype, to| FlowConst { src_port: ethertype, dst_mac: Mac(to), ..FlowConst::default() };
        let ip = |ip_proto| FlowConst { src: Addr::v4([10, 0, 0, 1]), ip_proto, ..FlowConst::default() };
        let bridges = [1, 0x80, 0xc2, 0, 0, 0];
        let named =
            [link(0x0806, [0xff; 6]), link(0, bridges), link(0, [2; 6]), ip(1), ip(6), ip(89)].map(|f| below(&f));
        assert_eq!(named, ["arp", "stp", "", "icmp", "", "ospf"]);
    }
}
