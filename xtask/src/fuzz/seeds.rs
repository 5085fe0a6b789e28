//! Seeds: conversations, frames and files of a simulated substation and of the corpus.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use anyhow::Context;
use capture::{Inputs, Single};
use gwcore::{Addr, Limits};
use packet::{Decoder, Outcome, Packet, Transport};

use super::input::{Act, Input};
use super::target::Kind;

/// Captures beyond this size are no seeds.
const FILE: u64 = 60_000;
/// Parts of one conversation; the rest makes no further seed.
const PARTS: usize = 24;
/// Conversations of one port.
const PER_PORT: usize = 24;
/// Frames of one seed, and seeds of frames a file.
const FRAMES: (usize, usize) = (12, 4);

/// All seeds in a fixed order.
pub fn all(corpus: bool) -> anyhow::Result<Vec<Input>> {
    let mut seeds = Seeds::default();
    seeds.list.push(set_up());
    let simulated = simulated()?;
    for packed in [simulated.clone(), gzip(&simulated)?, pcapng(&simulated)] {
        seeds.list.push(Input { kind: Kind::Capture, port: 0, parts: vec![(Act::Client, packed)] });
    }
    let file = super::folder()?.join(format!("seed-{}", std::process::id()));
    std::fs::write(&file, simulated)?;
    seeds.capture(&file);
    std::fs::remove_file(&file)?;
    if let Some(corpus) = testkit::corpus().filter(|_| corpus) {
        for path in captures(&corpus.join("pcap")) {
            let bytes = std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
            if bytes.len() < 8_000 {
                seeds.list.push(Input { kind: Kind::Capture, port: 0, parts: vec![(Act::Client, bytes)] });
            }
            seeds.capture(&path);
        }
    }
    Ok(seeds.list)
}

/// Captures under a folder, small enough, by name.
fn captures(folder: &Path) -> Vec<PathBuf> {
    let (mut open, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "pcap" || e == "pcapng")
                && entry.metadata().is_ok_and(|m| m.len() < FILE)
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Three minutes of a substation.
fn simulated() -> anyhow::Result<Vec<u8>> {
    let mut pcap = Vec::new();
    let options = simulate::Options { minutes: 3, ..simulate::Options::default() };
    simulate::substation(&options).write(&mut pcap, std::io::sink(), std::io::sink())?;
    Ok(pcap)
}

fn gzip(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut out, bytes.get(..20_000.min(bytes.len())).unwrap_or_default())?;
    Ok(out.finish()?)
}

/// The frames of a classic capture as pcapng: a section, an interface, enhanced blocks.
fn pcapng(pcap: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut block = |kind: u32, body: &[u8]| {
        let length = (body.len().next_multiple_of(4) + 12) as u32;
        out.extend_from_slice(&kind.to_le_bytes());
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(body);
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend_from_slice(&length.to_le_bytes());
    };
    block(0x0a0d_0d0a, &[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
    block(1, &[1, 0, 0, 0, 0, 0, 4, 0, 2, 0, 4, 0, b'e', b't', b'h', b'0', 9, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0]);
    let mut rest = pcap.get(24..).unwrap_or_default();
    for _ in 0..64 {
        let Some((head, tail)) = rest.split_at_checked(16) else { break };
        let word = |i: usize| head.get(i..i + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
        let micros = u64::from(word(0)) * 1_000_000 + u64::from(word(4));
        let Some((frame, after)) = tail.split_at_checked(word(8) as usize) else { break };
        let fields = [0, (micros >> 32) as u32, micros as u32, word(8), word(12)];
        block(6, &[fields.map(u32::to_le_bytes).as_flattened(), frame].concat());
        rest = after;
    }
    block(5, &[0; 12]);
    out
}

/// COTP connection and S7 set-up: the simulator has no S7.
fn set_up() -> Input {
    let connect = [3, 0, 0, 22, 17, 0xe0, 0, 0, 0, 1, 0, 0xc0, 1, 10, 0xc1, 2, 1, 0, 0xc2, 2, 1, 2];
    let confirm = [3, 0, 0, 22, 17, 0xd0, 0, 1, 0, 2, 0, 0xc0, 1, 10, 0xc1, 2, 1, 0, 0xc2, 2, 1, 2];
    let ask = [3, 0, 0, 25, 2, 0xf0, 0x80, 0x32, 1, 0, 0, 0, 1, 0, 8, 0, 0, 0xf0, 0, 0, 1, 0, 1, 1, 0xe0];
    let tell = [3, 0, 0, 27, 2, 0xf0, 0x80, 0x32, 3, 0, 0, 0, 1, 0, 8, 0, 0, 0, 0, 0xf0, 0, 0, 1, 0, 1, 0, 0xf0];
    let parts = vec![
        (Act::Client, connect.to_vec()),
        (Act::Server, confirm.to_vec()),
        (Act::Client, ask.to_vec()),
        (Act::Server, tell.to_vec()),
    ];
    Input { kind: Kind::Stream, port: 102, parts }
}

type Ends = ((Addr, u16), (Addr, u16));

#[derive(Default)]
struct Seeds {
    list: Vec<Input>,
    ports: BTreeMap<(&'static str, u16), usize>,
}

impl Seeds {
    /// Takes conversations and groups of frames from a capture.
    fn capture(&mut self, path: &Path) {
        let limits = Limits::default();
        let inputs = Inputs::find(&[path.to_owned()], &limits);
        let Some(mut source) = Single::open(&inputs, 0, &limits) else { return };
        let mut decoder = Decoder::new(&limits, packet::Options::default(), 1);
        let mut talks: BTreeMap<Ends, Input> = BTreeMap::new();
        let mut groups: Vec<Input> = Vec::new();
        while let Some(frame) = source.next() {
            let link = frame.link.0;
            let open = groups.last().is_some_and(|g| g.parts.len() < FRAMES.0 && g.port == link);
            if !open && groups.len() < FRAMES.1 {
                groups.push(Input { kind: Kind::Frames, port: link, parts: Vec::new() });
            }
            if let Some(group) = groups.last_mut().filter(|g| g.parts.len() < FRAMES.0 && g.port == link) {
                group.parts.push((Act::Client, frame.data.to_vec()));
            }
            let decoded = decoder.decode(&frame);
            if matches!(decoded.outcome, Outcome::Packet) && !decoded.payload.is_empty() && !decoded.packet.twin {
                self.packet(&decoded.packet, decoded.payload, &mut talks);
            }
        }
        self.list.extend(groups);
        self.list.extend(talks.into_values());
    }

    fn packet(&mut self, p: &Packet, payload: &[u8], talks: &mut BTreeMap<Ends, Input>) {
        let (kind, src_port, dst_port) = match p.transport {
            Transport::Tcp(t) => (Kind::Stream, t.src_port, t.dst_port),
            Transport::Udp { src_port, dst_port } => (Kind::Datagram, src_port, dst_port),
            Transport::None if p.link.ethertype != 0 => (Kind::Link, p.link.ethertype, p.link.ethertype),
            _ => return,
        };
        let (from, to) = ((p.src, src_port), (p.dst, dst_port));
        let (key, act) =
            if talks.contains_key(&(to, from)) { ((to, from), Act::Server) } else { ((from, to), Act::Client) };
        let port = if act == Act::Client { dst_port } else { src_port };
        if let Entry::Vacant(talk) = talks.entry(key) {
            let seen = self.ports.entry((kind.name(), port)).or_default();
            *seen += 1;
            if *seen > PER_PORT {
                return;
            }
            talk.insert(Input { kind, port, parts: Vec::new() });
        }
        if let Some(talk) = talks.get_mut(&key).filter(|t| t.parts.len() < PARTS) {
            talk.parts.push((act, payload.to_vec()));
        }
    }
}
