//! Tests of the decoder through its public face, on frames built by `testkit`.

mod corpus;
mod fixtures;
mod fragments;
mod hostile;
mod layers;
mod twins;

use capture::{Frame, LinkType};
use gwcore::{Limits, Ts};
use packet::{Checksums, Decoder, Options};

/// A whole Ethernet frame at time zero.
pub fn frame(data: &[u8]) -> Frame<'_> {
    frame_of(LinkType::ETHERNET, 0, data)
}

/// A whole frame at `ts` nanoseconds.
pub fn frame_of(link: LinkType, ts: i64, data: &[u8]) -> Frame<'_> {
    Frame { seq: 0, ts: Ts(ts), file: 0, number: 1, interface: 0, link, wire_len: data.len() as u32, data }
}

/// A decoder with default limits.
pub fn decoder() -> Decoder {
    Decoder::new(&Limits::default(), Options::default(), 1)
}

/// A decoder with everything at a hundredth, without checksums.
pub fn small() -> Decoder {
    let options = Options { checksums: Checksums::Ignore, ..Options::default() };
    Decoder::new(&Limits::scaled(100), options, 1)
}
