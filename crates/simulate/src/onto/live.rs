//! A live connection of the capture into which exchanges are put: what follows is counted on, so that it stays a sound conversation.
//!
//! Each insertion is a cut in the numbers of both directions. A number at or after a cut is moved by what was put in there: TCP
//! sequence and acknowledgement, SACK edges, Modbus transactions, DNP3 transport and application sequence, IEC 104 N(S) and N(R), and
//! the IP identification where it counts the segments of the connection. Checksums are moved by the difference, so one that was wrong
//! stays wrong. A PDU whose head is split over two segments keeps its own numbers.

use testkit::flag::{ACK, FIN, PSH, RST, SYN};

use super::exchange::{Exchange, Numbering};
use super::pdu::{Numbers, Proto, dnp3_addresses};
use super::reader::{Body, Seen, Segment, be32, options};
use super::segment::{Stamps, build, patch};
use super::site::{Key, Nanos};
use crate::tcp::Side;

/// See the module. Numbers of an end are those of the original capture.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) key: Key,
    proto: Proto,
    ends: [End; 2],
    cuts: Vec<Cut>,
    /// How the ends counted before the first cut.
    habits: Option<Habits>,
    /// Another connection has taken the ports.
    is_over: bool,
}

#[derive(Clone, Copy, Debug)]
struct Habits {
    /// By how much a Modbus master counts its transactions within the connection: 1, or not at all.
    step: u16,
    /// Whether the IP identification of each end counts the segments of this connection.
    counts_ids: [bool; 2],
}

/// One direction of the connection.
#[derive(Clone, Debug, Default)]
struct End {
    /// The latest frame up to its data: addresses, habits, options.
    head: Vec<u8>,
    ip_at: usize,
    tcp_at: usize,
    /// Sequence number of what it sends next.
    next: Option<u32>,
    /// Where the PDU begins that is sent next.
    next_pdu: Option<u32>,
    id: u16,
    /// Segments, and those of them whose IP identification was one more than before, and 0.
    segments: u32,
    counted: u32,
    zeros: u32,
    /// Whether a frame was shorter than Ethernet allows: seen where it was sent, before it was padded.
    is_unpadded: bool,
    stamps: Stamps,
    /// Modbus: last transaction and its step. DNP3: last transport and application sequence. IEC 104: N(S) of what it sends next.
    count: u16,
    step: u16,
    transport: u8,
    links: Option<(u16, u16)>,
}

/// Where something was put in, and how much up to and with it.
#[derive(Clone, Copy, Debug, Default)]
struct Cut {
    at: [u32; 2],
    sent_at: [u16; 2],
    bytes: [u32; 2],
    segments: [u16; 2],
    requests: u16,
    transport: [u8; 2],
    numbered: [u16; 2],
}

impl Live {
    pub(super) fn new(key: Key, proto: Proto) -> Live {
        Live { key, proto, ends: Default::default(), cuts: Vec::new(), habits: None, is_over: false }
    }

    /// Whether a frame belongs to it, and who sent it.
    pub(super) fn side(&self, seen: &Seen<'_>) -> Option<Side> {
        let (Body::Tcp(segment), Some(ip)) = (&seen.body, &seen.ip) else { return None };
        let (client, server) = ((self.key.0, self.key.1), (self.key.2, self.key.3));
        match ((ip.src, segment.src), (ip.dst, segment.dst)) {
            (from, to) if from == client && to == server => Some(Side::Client),
            (from, to) if from == server && to == client => Some(Side::Server),
            _ => None,
        }
    }

    /// Takes a frame of the connection into account and moves its numbers; whether it changed.
    pub(super) fn pass(&mut self, at: Nanos, frame: &mut [u8], from: Side) -> bool {
        let copy = frame.to_vec();
        let Some(seen) = super::reader::read(&copy) else { return false };
        let (Body::Tcp(segment), Some(ip)) = (&seen.body, seen.ip) else { return false };
        if segment.flags & SYN != 0 && segment.flags & ACK == 0 {
            self.is_over = !self.cuts.is_empty();
            self.ends = Default::default();
        }
        if self.is_over {
            return false;
        }
        let own = from as usize;
        let pdus = self.pdus(own, segment);
        self.move_numbers(frame, own, segment, &pdus, ip.at, ip.id);
        self.take(at, &copy, own, segment, ip.at, ip.id);
        for (_, numbers) in pdus {
            self.count(own, numbers);
        }
        frame != copy
    }

    /// Numbers of the PDUs that begin in a segment, and where.
    fn pdus(&mut self, own: usize, segment: &Segment<'_>) -> Vec<(usize, Numbers)> {
        let (proto, end, mut out) = (self.proto, &mut self.ends[own], Vec::new());
        let is_new = end.next.is_none_or(|next| segment.seq.wrapping_sub(next) as i32 >= 0);
        let ahead = end.next_pdu.map(|next| next.wrapping_sub(segment.seq));
        let mut at = match ahead.filter(|ahead| is_new && (*ahead as i32) >= 0) {
            Some(ahead) => ahead as usize,
            None => 0,
        };
        if segment.data.is_empty() {
            return out;
        }
        let mut is_known = true;
        while let Some(rest) = segment.data.get(at..).filter(|rest| !rest.is_empty()) {
            let Some(length) = proto.length(rest) else {
                is_known = false;
                break;
            };
            if proto == Proto::Dnp3 && end.links.is_none() {
                end.links = dnp3_addresses(rest);
            }
            out.extend(Numbers::read(proto, rest).map(|numbers| (at, numbers)));
            at += length;
        }
        if is_new {
            end.next_pdu = is_known.then(|| segment.seq.wrapping_add(at as u32));
        }
        out
    }

    fn count(&mut self, own: usize, numbers: Numbers) {
        let end = &mut self.ends[own];
        match numbers {
            Numbers::Modbus { transaction } => {
                end.step = transaction.wrapping_sub(end.count);
                end.count = transaction;
            }
            Numbers::Dnp3 { transport, application, is_masters } => {
                end.transport = transport;
                if is_masters {
                    end.count = u16::from(application);
                }
            }
            Numbers::Iec104 { sent, .. } => end.count = sent.map_or(end.count, |sent| (sent + 1) & 0x7fff),
        }
    }

    fn take(&mut self, at: Nanos, frame: &[u8], own: usize, segment: &Segment<'_>, ip_at: usize, id: u16) {
        let end = &mut self.ends[own];
        if segment.flags & RST == 0 {
            let more = segment.len + u32::from(segment.flags & SYN != 0) + u32::from(segment.flags & FIN != 0);
            let next = segment.seq.wrapping_add(more);
            if end.next.is_none_or(|known| next.wrapping_sub(known) as i32 >= 0) {
                end.next = Some(next);
            }
        }
        (end.ip_at, end.tcp_at) = (ip_at, segment.at);
        // What a SYN announces holds for no other segment.
        if segment.flags & (SYN | RST | FIN) == 0 {
            end.head = frame.get(..segment.data_at).unwrap_or_default().to_vec();
        }
        end.counted += u32::from(end.segments > 0 && id == end.id.wrapping_add(1));
        end.zeros += u32::from(id == 0);
        end.segments += 1;
        end.id = id;
        end.is_unpadded |= frame.len() < 60;
        options(segment.options, |kind, _, option| {
            if let (8, Some(value)) = (kind, be32(option, 2)) {
                end.stamps.see(at, value);
            }
        });
    }

    /// The last cut at or before a sequence number of one direction.
    fn cut(&self, own: usize, seq: u32) -> Option<&Cut> {
        self.cuts.iter().rev().find(|cut| seq.wrapping_sub(cut.at[own]) as i32 >= 0)
    }

    /// How far a sequence number of one direction has moved.
    fn shift(&self, own: usize, seq: u32) -> u32 {
        self.cut(own, seq).map_or(0, |cut| cut.bytes[own])
    }

    fn move_numbers(
        &self,
        frame: &mut [u8],
        own: usize,
        segment: &Segment<'_>,
        pdus: &[(usize, Numbers)],
        ip_at: usize,
        id: u16,
    ) {
        let Some(last) = self.cuts.last() else { return };
        let peer = 1 - own;
        let id = if self.habits().counts_ids[own] { id.wrapping_add(last.segments[own]) } else { id };
        // A keep-alive probe repeats the octet before the next one (RFC 9293 §3.8.4).
        let is_probe = segment.len <= 1 && self.ends[own].next == Some(segment.seq.wrapping_add(1));
        let is_bare_probe = is_probe && segment.flags & (SYN | FIN | RST) == 0;
        let place = if is_bare_probe { segment.seq.wrapping_add(1) } else { segment.seq };
        let seq = segment.seq.wrapping_add(self.shift(own, place));
        let ack = segment.ack.wrapping_add(self.shift(peer, segment.ack));
        patch(frame, ip_at, segment.at, |ip, tcp| {
            ip.get_mut(4..6)?.copy_from_slice(&id.to_be_bytes());
            tcp.get_mut(4..8)?.copy_from_slice(&seq.to_be_bytes());
            if segment.flags & ACK != 0 {
                tcp.get_mut(8..12)?.copy_from_slice(&ack.to_be_bytes());
            }
            options(segment.options, |kind, at, option| {
                let edges = if kind == 5 { option.len() / 4 } else { 0 };
                for edge in (0..edges).map(|i| 2 + 4 * i) {
                    let value = be32(option, edge);
                    let to = tcp.get_mut(20 + at + edge..24 + at + edge);
                    if let (Some(value), Some(to)) = (value, to) {
                        to.copy_from_slice(&value.wrapping_add(self.shift(peer, value)).to_be_bytes());
                    }
                }
            });
            for (at, numbers) in pdus {
                let place = segment.seq.wrapping_add(*at as u32);
                let from = segment.data_at - segment.at + at;
                if let Some(pdu) = tcp.get_mut(from..) {
                    self.moved(own, place, *numbers).write(pdu);
                }
            }
            Some(())
        });
    }

    /// The numbers of a PDU that began at this sequence number.
    fn moved(&self, own: usize, seq: u32, numbers: Numbers) -> Numbers {
        let cut = self.cut(own, seq).copied().unwrap_or_default();
        match numbers {
            Numbers::Modbus { transaction } => {
                Numbers::Modbus { transaction: transaction.wrapping_add(cut.requests.wrapping_mul(self.habits().step)) }
            }
            Numbers::Dnp3 { transport, application, is_masters } => Numbers::Dnp3 {
                transport: transport.wrapping_add(cut.transport[own]) & 0x3f,
                application: (u16::from(application).wrapping_add(cut.requests) & 15) as u8,
                is_masters,
            },
            Numbers::Iec104 { sent, received } => {
                let peer = 1 - own;
                let is_after = |cut: &&Cut| received.wrapping_sub(cut.sent_at[peer]) & 0x7fff < 0x4000;
                let more = self.cuts.iter().rev().find(is_after).map_or(0, |cut| cut.numbered[peer]);
                let sent = sent.map(|sent| sent.wrapping_add(cut.numbered[own]) & 0x7fff);
                Numbers::Iec104 { sent, received: received.wrapping_add(more) & 0x7fff }
            }
        }
    }

    fn habits(&self) -> Habits {
        let counts_ids = [self.ends[0].counts_ids(), self.ends[1].counts_ids()];
        self.habits.unwrap_or(Habits { step: u16::from(self.ends[0].step == 1), counts_ids })
    }

    /// Puts an exchange in: its request at a time, its answer so much later, and the client's bare acknowledgement as much after that.
    /// Nothing when not both ends have been heard.
    pub(super) fn insert(
        &mut self,
        exchange: &Exchange,
        at: Nanos,
        answered: Nanos,
        acked: Option<Nanos>,
    ) -> Vec<(Nanos, Vec<u8>)> {
        let (Some(client), Some(server)) = (self.ends[0].next, self.ends[1].next) else { return Vec::new() };
        if self.is_over || self.ends.iter().any(|end| end.head.is_empty()) {
            return Vec::new();
        }
        self.habits = Some(self.habits());
        let mut cut = self.cuts.last().copied().unwrap_or_default();
        cut.at = [client, server];
        if self.proto == Proto::Iec104 {
            cut.sent_at = [self.ends[0].count, self.ends[1].count];
        }
        let mut numbering = self.numbering(&cut);
        let before = (numbering.counts(), cut.requests);
        let (mut out, mut time) = (Vec::new(), at);
        for (i, (side, bytes)) in exchange.messages(&mut numbering).into_iter().enumerate() {
            if i > 0 {
                time = time.saturating_add(answered);
            }
            for piece in bytes.chunks(1_400) {
                out.push((time, self.segment(&mut cut, side as usize, time, piece)));
                time = time.saturating_add(20_000);
            }
        }
        if let Some(acked) = acked {
            time = time.saturating_add(acked);
            out.push((time, self.segment(&mut cut, 0, time, &[])));
        }
        let after = numbering.counts();
        cut.requests = before.1.wrapping_add(exchange.requests());
        let said = after.iter().zip(before.0).map(|(after, before)| after.wrapping_sub(before));
        for ((said, transport), numbered) in said.zip(&mut cut.transport).zip(&mut cut.numbered) {
            *transport = transport.wrapping_add(said as u8);
            *numbered = numbered.wrapping_add(said);
        }
        self.cuts.push(cut);
        out
    }

    /// What the next message of each end is numbered with.
    fn numbering(&self, cut: &Cut) -> Numbering {
        let [client, server] = &self.ends;
        match self.proto {
            Proto::Modbus => {
                let step = self.habits().step;
                let more = step.wrapping_mul(cut.requests.wrapping_add(1));
                Numbering::Modbus { next: client.count.wrapping_add(more), step }
            }
            Proto::Dnp3 => {
                let links = client.links.or(server.links.map(|(own, peer)| (peer, own))).unwrap_or((1, 10));
                let next = |end: &End, more: u8| (end.transport.wrapping_add(more).wrapping_add(1)) & 0x3f;
                let transport = [next(client, cut.transport[0]), next(server, cut.transport[1])];
                Numbering::dnp3(links, transport, (client.count.wrapping_add(cut.requests).wrapping_add(1) & 15) as u8)
            }
            Proto::Iec104 => {
                let next = |side: usize| self.ends[side].count.wrapping_add(cut.numbered[side]) & 0x7fff;
                Numbering::iec104(next(0), next(1))
            }
        }
    }

    /// A segment as this end sends them, counted in the cut.
    fn segment(&self, cut: &mut Cut, own: usize, at: Nanos, data: &[u8]) -> Vec<u8> {
        let (end, peer) = (&self.ends[own], &self.ends[1 - own]);
        let seq = cut.at[own].wrapping_add(cut.bytes[own]);
        let ack = cut.at[1 - own].wrapping_add(cut.bytes[1 - own]);
        cut.bytes[own] = cut.bytes[own].wrapping_add(data.len() as u32);
        cut.segments[own] = cut.segments[own].wrapping_add(1);
        let id = if 2 * end.zeros > end.segments { 0 } else { end.id.wrapping_add(cut.segments[own]) };
        let flags = if data.is_empty() { ACK } else { PSH | ACK };
        let stamps = end.stamps.at(at).zip(peer.stamps.latest());
        let head = (&end.head[..], end.ip_at, end.tcp_at);
        let mut out = build(head, (seq, ack, flags), id, stamps, data);
        if !end.is_unpadded {
            out.resize(out.len().max(60), 0);
        }
        out
    }
}

impl End {
    /// Whether its IP identification counts the segments of this connection.
    fn counts_ids(&self) -> bool {
        4 * self.counted >= 3 * self.segments.saturating_sub(1).max(1)
    }
}
