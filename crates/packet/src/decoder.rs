//! The decoder: one frame in, one outcome out.

use capture::Frame;
use gwcore::{Limit, LimitHits, Limits};

use crate::cursor::Cursor;
use crate::fragments::{Added, FragmentCounts, Fragments, Incomplete};
use crate::twins::Twins;
use crate::walk::{Next, Walk};
use crate::{Decoded, Outcome, Transport};

/// Whether transport and IPv4 header checksums are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksums {
    /// Computed where the packet is whole.
    #[default]
    Verify,
    /// Not looked at.
    Ignore,
}

/// What can be chosen.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether checksums are computed.
    pub checksums: Checksums,
    /// A twin comes at most this many nanoseconds after the first copy; negative turns twins off.
    pub twin_window_ns: i64,
}

impl Default for Options {
    fn default() -> Options {
        Options { checksums: Checksums::Verify, twin_window_ns: 2 * gwcore::time::MILLI }
    }
}

/// Decodes frames in the order of the input. Its state is the recent frames (twins) and the IP fragments that wait.
pub struct Decoder {
    verify: bool,
    depth: usize,
    twins: Twins,
    fragments: Fragments,
    /// The datagram that was put together last.
    whole: Vec<u8>,
    hits: LimitHits,
}

impl Decoder {
    /// `seed` keys the tables that traffic fills; no output depends on it.
    pub fn new(limits: &Limits, options: Options, seed: u64) -> Decoder {
        Decoder {
            verify: options.checksums == Checksums::Verify,
            depth: limits.get(Limit::TunnelDepth),
            twins: Twins::new(limits.get(Limit::TwinFrames), seed, options.twin_window_ns),
            fragments: Fragments::new(limits, seed),
            whole: Vec::new(),
            hits: LimitHits::default(),
        }
    }

    /// Decodes a frame. The payload lies in the frame, or in the decoder when it was put together from fragments.
    pub fn decode<'a>(&'a mut self, frame: &Frame<'a>) -> Decoded<'a> {
        self.fragments.begin();
        let mut walk = Walk::new(frame, self.verify, self.depth);
        let mut cursor = Cursor::new(frame.data, frame.wire_len as usize);
        let mut end = walk.start(frame.link, &mut cursor);
        let (mut range, mut joined) = (cursor.range(), false);
        if let Some(ip) = &walk.first_ip {
            let bytes = frame.data.get(ip.start..ip.end).unwrap_or_default();
            walk.packet.twin = self.twins.is_twin(frame.ts, ip.mac_src, ip.mac_dst, bytes);
        }
        // A datagram may hold fragments again; the tunnel depth and the number of extension headers bound the turns.
        while let (Next::Fragment, Some(piece)) = (end, walk.piece) {
            let data = if joined { &self.whole[..] } else { frame.data };
            let bytes = data.get(range.0..range.1).unwrap_or_default();
            if walk.packet.twin {
                break;
            }
            let Added::Whole(datagram) =
                self.fragments.add(&walk.packet, &piece, bytes, &mut walk.anomalies, &mut self.hits)
            else {
                break;
            };
            walk.join(&piece, datagram.fragments, datagram.bytes.len());
            self.whole = datagram.bytes;
            joined = true;
            let mut cursor = Cursor::new(&self.whole, self.whole.len());
            end = walk.run(&mut cursor, Next::Proto(datagram.proto));
            range = cursor.range();
        }
        let outcome = self.outcome(&walk, &end);
        let data = if joined { &self.whole[..] } else { frame.data };
        let payload = match outcome {
            Outcome::Packet => data.get(range.0..range.1).unwrap_or_default(),
            _ => &[],
        };
        Decoded { packet: walk.packet, payload, outcome, anomalies: walk.anomalies }
    }

    fn outcome(&mut self, walk: &Walk, end: &Next) -> Outcome {
        match end {
            Next::Fragment => Outcome::Fragment,
            Next::TooDeep => {
                self.hits.hit(Limit::TunnelDepth);
                Outcome::Undecoded("too_deep")
            }
            Next::Undecoded(reason) => Outcome::Undecoded(reason),
            _ if walk.packet.transport == Transport::None && !walk.has_link => {
                Outcome::Undecoded(walk.anomalies.iter().next().unwrap_or("no_address"))
            }
            _ => Outcome::Packet,
        }
    }

    /// How often each limit was hit.
    pub fn limit_hits(&self) -> &LimitHits {
        &self.hits
    }

    /// Datagrams that the frame decoded last settled without their becoming whole: it came too late for them, contradicted them or
    /// pushed them out.
    pub fn incomplete(&self) -> &[Incomplete] {
        self.fragments.lost()
    }

    /// No more frames will come: the datagrams that still wait for fragments, in the order of their first ones.
    pub fn finish(&mut self) -> &[Incomplete] {
        self.fragments.finish();
        self.fragments.lost()
    }

    /// What became of fragmented datagrams.
    pub fn fragment_counts(&self) -> FragmentCounts {
        self.fragments.counts()
    }
}
