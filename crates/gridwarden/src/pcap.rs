//! `gridwarden pcap`: packets out of the ring, of a finding, a conversation or a filter, as pcapng that says why they are there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use capture::store::{Pair, Segment, segments};
use capture::{Filter, Frame, Inputs, Merge, PcapngWriter};
use clap::Args;
use gwcore::time::{SECOND, parse_rfc3339};
use gwcore::{Addr, Limits, Mac, Ts};
use packet::Decoder;
use serde_json::Value;

use crate::say::complaint;
use crate::sensor::keep;

/// Writes packets of a finding, of a conversation, or those that pass a filter, with comments that carry the finding.
#[derive(Args, Clone)]
pub struct Pcap {
    /// Packets of a finding: those it cites, marked, and what its two parties said around them.
    #[arg(long, value_name = "ID", required_unless_present_any = ["flow", "filter"], conflicts_with_all = ["flow", "filter"])]
    pub alert: Option<String>,
    /// Packets of a conversation, by the `uid` of its records.
    #[arg(long, value_name = "UID", conflicts_with = "filter")]
    pub flow: Option<String>,
    /// Packets that pass a filter, in tcpdump's syntax.
    #[arg(long, value_name = "EXPRESSION")]
    pub filter: Option<String>,
    /// Only packets from then on (RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<Ts>,
    /// Only packets up to then (RFC 3339).
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub to: Option<Ts>,
    /// The file to write; - is standard output.
    #[arg(short = 'w', long = "write", value_name = "FILE")]
    pub write: PathBuf,
    /// Folder that `run` keeps everything in.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/gridwarden")]
    pub data: PathBuf,
}

/// What was said by the parties of a finding this long before and after it is written too, in nanoseconds.
const AROUND: i64 = 5 * SECOND;
/// A conversation may have begun before its first record, and gone on after its last one.
const BEYOND: i64 = 300 * SECOND;

fn time(text: &str) -> Result<Ts, String> {
    parse_rfc3339(text).ok_or_else(|| format!("`{text}` is no time like 2026-12-01T13:00:00Z"))
}

/// Runs it.
pub fn run(args: &Pcap) -> anyhow::Result<u8> {
    let mut wanted = wanted(args)?;
    wanted.from = args.from.map_or(wanted.from, |t| t.max(wanted.from));
    wanted.to = args.to.map_or(wanted.to, |t| t.min(wanted.to));
    let mut out: Box<dyn Write> = match args.write.as_os_str() == "-" {
        true => Box::new(std::io::stdout().lock()),
        false => Box::new(BufWriter::new(
            File::create(&args.write).with_context(|| format!("cannot write `{}`", args.write.display()))?,
        )),
    };
    let written = write(&args.data, &wanted, &mut out)?;
    out.flush().with_context(|| format!("cannot write `{}`", args.write.display()))?;
    complaint(format_args!("{written} packets written"));
    if written == 0 {
        complaint(format_args!("the ring holds none of them any more, or never did"));
    }
    Ok(0)
}

/// Which packets, and what is written beside them.
pub struct Wanted {
    /// Earliest and latest time.
    pub from: Ts,
    /// See `from`.
    pub to: Ts,
    /// Frames by segment that are written whatever their ends.
    cited: BTreeMap<String, BTreeSet<u64>>,
    ends: Ends,
    filter: Option<Filter>,
    section: Option<String>,
    comment: Option<String>,
    names: Vec<(IpAddr, String)>,
}

impl Wanted {
    /// What passes a filter.
    pub fn filtered(filter: Filter) -> Wanted {
        let ends = Ends::All;
        let (cited, names) = (BTreeMap::new(), Vec::new());
        let (from, to) = (Ts(i64::MIN), Ts(i64::MAX));
        Wanted { from, to, cited, ends, filter: Some(filter), section: None, comment: None, names }
    }

    /// The packets of a finding, a line of `alerts.ndjson`.
    pub fn of_finding(finding: &Value) -> Wanted {
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let party = |name: &str| finding.get(name).cloned().unwrap_or_default();
        let (src, dst) = (party("src"), party("dst"));
        let ts = |name: &str| parse_rfc3339(&text(finding, name)).unwrap_or_default();
        let mut cited: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for packet in finding.get("packets").and_then(Value::as_array).into_iter().flatten() {
            let frame = packet.get("frame").and_then(Value::as_u64).unwrap_or(0);
            cited.entry(text(packet, "file")).or_default().insert(frame);
        }
        let addr = |p: &Value| text(p, "ip").parse::<IpAddr>().ok();
        let mac = |p: &Value| parse_mac(&text(p, "mac"));
        let ends = match (addr(&src), addr(&dst), mac(&src), mac(&dst)) {
            (Some(a), Some(b), ..) => Ends::Ips(address(a), address(b), None),
            (None, None, Some(a), Some(b)) => Ends::Macs(a, b),
            // One end alone may have spoken to anybody: only what is cited belongs to the finding.
            _ => Ends::None,
        };
        let name = |p: &Value| addr(p).zip(Some(text(p, "name")).filter(|n| !n.is_empty()));
        let technique = finding.get("attack").and_then(|a| a.get(0)).and_then(Value::as_str).unwrap_or("-");
        let (id, detector) = (text(finding, "id"), text(finding, "detector"));
        let (title, why) = (report::plain(&text(finding, "title")), report::plain(&text(finding, "why")));
        Wanted {
            from: ts("ts").plus(-AROUND),
            to: ts("ts_end").plus(AROUND),
            cited,
            ends,
            filter: None,
            section: Some(format!("Gridwarden finding {id}: {title}\n{why}")),
            comment: Some(format!("Gridwarden alert {id} rule {detector} {technique}: {title}")),
            names: [name(&src), name(&dst)].into_iter().flatten().collect(),
        }
    }
}

/// Whose packets.
enum Ends {
    All,
    None,
    Ips(Addr, Addr, Option<(u16, u16)>),
    Macs(Mac, Mac),
}

fn wanted(args: &Pcap) -> anyhow::Result<Wanted> {
    if let Some(text) = &args.filter {
        return Ok(Wanted::filtered(Filter::parse(text).context("the filter is not understood")?));
    }
    if let Some(id) = &args.alert {
        let finding = keep::finding(&args.data, id);
        let finding = finding.with_context(|| format!("no finding `{id}` is kept below `{}`", args.data.display()))?;
        return Ok(Wanted::of_finding(&finding));
    }
    let uid = args.flow.as_deref().unwrap_or_default();
    let lake = args.data.join("lake");
    let found = lake::conversation(&lake, uid).with_context(|| format!("cannot read `{}`", lake.display()))?;
    let Some(c) = found else { bail!("no record of `{uid}` below `{}`", lake.display()) };
    let ip = |text: &str| text.parse::<IpAddr>().ok().map(address);
    let ips = c.ips.as_ref().and_then(|(a, b)| ip(a).zip(ip(b)));
    let macs = c.macs.as_ref().and_then(|(a, b)| parse_mac(a).zip(parse_mac(b)));
    let ends = match (ips, macs) {
        (Some((a, b)), _) => Ends::Ips(a, b, c.ports),
        (None, Some((a, b))) => Ends::Macs(a, b),
        (None, None) => bail!("the records of `{uid}` name no addresses"),
    };
    let (from, to) = (c.first.plus(-BEYOND), c.last.plus(BEYOND));
    let section = Some(format!("Gridwarden conversation {uid}, {} records", c.records));
    Ok(Wanted { from, to, cited: BTreeMap::new(), ends, filter: None, section, comment: None, names: Vec::new() })
}

/// Writes what is wanted out of the ring below `data`; how many packets that were.
pub fn write(data: &Path, wanted: &Wanted, out: &mut dyn Write) -> anyhow::Result<u64> {
    let ring = data.join("ring");
    let all = segments(&ring).with_context(|| format!("cannot read `{}`", ring.display()))?;
    let mut blocks = Vec::new();
    let mut writer = PcapngWriter::begin(&mut blocks, wanted.section.as_deref());
    if !wanted.names.is_empty() {
        PcapngWriter::names(&mut blocks, wanted.names.iter().map(|(a, n)| (*a, n.as_str())));
    }
    let mut written = 0;
    for segment in &all {
        written += from_segment(segment, wanted, &mut writer, &mut blocks, out)?;
    }
    out.write_all(&blocks)?;
    Ok(written)
}

fn from_segment(
    segment: &Segment,
    wanted: &Wanted,
    writer: &mut PcapngWriter,
    blocks: &mut Vec<u8>,
    out: &mut dyn Write,
) -> anyhow::Result<u64> {
    let name = format!("ring/{:08}.pcapng", segment.number);
    let cited = wanted.cited.get(&name);
    let may_hold = segment.may_hold(wanted.from, wanted.to)
        && match &wanted.ends {
            Ends::All => true,
            Ends::None => false,
            // Inside a tunnel they would lie under other addresses; those that are cited are found all the same.
            Ends::Ips(a, b, _) => segment.may_hold_pair(Pair::of_addrs(*a, *b)),
            Ends::Macs(a, b) => segment.may_hold_pair(Pair::of_macs(a.0, b.0)),
        };
    if cited.is_none() && !may_hold {
        return Ok(0);
    }
    let limits = Limits::default();
    let inputs = Inputs::find(std::slice::from_ref(&segment.path), &limits);
    let mut merge = Merge::open(&inputs, &limits);
    let mut decoder = Decoder::new(&limits, packet::Options::default(), 0);
    let (mut written, mut interfaces) = (0, Vec::<String>::new());
    while let Some(frame) = merge.next() {
        let is_cited = cited.is_some_and(|c| c.contains(&frame.number));
        let in_time = may_hold && frame.ts >= wanted.from && frame.ts <= wanted.to;
        if !(is_cited || in_time && is_wanted(&frame, wanted, &mut decoder)) {
            continue;
        }
        let at = frame.interface as usize;
        if interfaces.len() <= at {
            interfaces = merge.interfaces().to_vec();
        }
        let Some(frame) = merge.again() else { break };
        let name = interfaces.get(at).map_or("", String::as_str);
        let comment = wanted.comment.as_deref().filter(|_| is_cited);
        writer.frame(blocks, &frame, name, comment);
        written += 1;
        if blocks.len() > 1 << 20 {
            out.write_all(blocks)?;
            blocks.clear();
        }
    }
    Ok(written)
}

fn is_wanted(frame: &Frame<'_>, wanted: &Wanted, decoder: &mut Decoder) -> bool {
    if let Some(filter) = &wanted.filter {
        return filter.passes(frame);
    }
    let decoded = decoder.decode(frame);
    let p = &decoded.packet;
    match &wanted.ends {
        Ends::All => true,
        Ends::None => false,
        Ends::Macs(a, b) => (p.link.src, p.link.dst) == (*a, *b) || (p.link.src, p.link.dst) == (*b, *a),
        Ends::Ips(a, b, ports) => {
            let (there, back) = ((p.src, p.dst) == (*a, *b), (p.src, p.dst) == (*b, *a));
            let own = match p.transport {
                packet::Transport::Tcp(t) => Some((t.src_port, t.dst_port)),
                packet::Transport::Udp { src_port, dst_port } => Some((src_port, dst_port)),
                _ => None,
            };
            // Fragments behind the first have no ports: they belong to whoever speaks at the time.
            let fits = |(x, y): (u16, u16)| ports.zip(own).is_none_or(|(_, own)| own == (x, y));
            let (x, y) = ports.unwrap_or_default();
            (there && fits((x, y))) || (back && fits((y, x)))
        }
    }
}

fn address(ip: IpAddr) -> Addr {
    match ip {
        IpAddr::V4(a) => Addr::v4(a.octets()),
        IpAddr::V6(a) => Addr(a.octets()),
    }
}

fn parse_mac(text: &str) -> Option<Mac> {
    let parts: Vec<u8> = text.split(':').map(|p| u8::from_str_radix(p, 16).ok()).collect::<Option<_>>()?;
    Some(Mac(parts.try_into().ok()?))
}
