//! Frames to pcapng (draft-ietf-opsawg-pcapng): one section, interfaces as they are met, nanoseconds, comments, counters.

use std::net::IpAddr;

use gwcore::Ts;

use crate::frame::{Frame, LinkType};

/// Longest comment or name that is written, in bytes; an option's length has 16 bits.
const LONGEST_TEXT: usize = 16 << 10;

/// Builds the blocks of one section; whoever has the file writes the bytes.
#[derive(Debug, Default)]
pub struct PcapngWriter {
    /// Interfaces of the section: index of the frame's interface, link type.
    interfaces: Vec<(u32, LinkType)>,
}

impl PcapngWriter {
    /// Begins a section: appends its header to `out`.
    pub fn begin(out: &mut Vec<u8>, comment: Option<&str>) -> PcapngWriter {
        let start = open(out, 0x0a0d_0d0a);
        out.extend(0x1a2b_3c4d_u32.to_le_bytes());
        out.extend([1, 0, 0, 0]);
        // The length of the section is not told.
        out.extend([0xff; 8]);
        option(out, 1, comment.unwrap_or_default().as_bytes());
        option(out, 4, concat!("gridwarden ", env!("CARGO_PKG_VERSION")).as_bytes());
        close(out, start);
        PcapngWriter::default()
    }

    /// Appends a frame, before it the description of its interface if that is new; `name` is the interface's.
    pub fn frame(&mut self, out: &mut Vec<u8>, frame: &Frame<'_>, name: &str, comment: Option<&str>) {
        let interface = self.interface(out, frame.interface, frame.link, name);
        let start = open(out, 6);
        out.extend(interface.to_le_bytes());
        time(out, frame.ts);
        out.extend((frame.data.len() as u32).to_le_bytes());
        out.extend(frame.wire_len.max(frame.data.len() as u32).to_le_bytes());
        out.extend_from_slice(frame.data);
        pad(out, frame.data.len());
        if let Some(comment) = comment {
            option(out, 1, comment.as_bytes());
            end_options(out);
        }
        close(out, start);
    }

    /// Appends the counters of an interface since the section began: frames received, frames the system dropped. One that had no frame
    /// in this section has no place in it ([`PcapngWriter::knows`]).
    pub fn counters(&mut self, out: &mut Vec<u8>, interface: u32, at: Ts, (received, dropped): (u64, u64)) {
        let Some(place) = self.interfaces.iter().position(|(i, _)| *i == interface) else { return };
        let start = open(out, 5);
        out.extend((place as u32).to_le_bytes());
        time(out, at);
        option(out, 4, &received.to_le_bytes());
        option(out, 7, &dropped.to_le_bytes());
        end_options(out);
        close(out, start);
    }

    /// Whether the interface had a frame in this section.
    pub fn knows(&self, interface: u32) -> bool {
        self.interfaces.iter().any(|(i, _)| *i == interface)
    }

    /// Appends names of addresses, so that Wireshark shows them.
    pub fn names<'a>(out: &mut Vec<u8>, names: impl Iterator<Item = (IpAddr, &'a str)>) {
        let start = open(out, 4);
        for (addr, name) in names {
            let name = cut(name.as_bytes());
            let mut record = match addr {
                IpAddr::V4(a) => a.octets().to_vec(),
                IpAddr::V6(a) => a.octets().to_vec(),
            };
            let kind: u16 = if addr.is_ipv4() { 1 } else { 2 };
            record.extend(name.iter().filter(|b| **b != 0));
            record.push(0);
            out.extend(kind.to_le_bytes());
            out.extend((record.len() as u16).to_le_bytes());
            out.extend_from_slice(&record);
            pad(out, record.len());
        }
        out.extend([0; 4]);
        close(out, start);
    }

    /// The place of an interface in the section; describes it if it is new.
    fn interface(&mut self, out: &mut Vec<u8>, interface: u32, link: LinkType, name: &str) -> u32 {
        if let Some(at) = self.interfaces.iter().position(|known| *known == (interface, link)) {
            return at as u32;
        }
        self.interfaces.push((interface, link));
        let start = open(out, 1);
        out.extend(link.0.to_le_bytes());
        out.extend([0, 0]);
        // No limit to the length of frames is told.
        out.extend([0; 4]);
        option(out, 2, name.as_bytes());
        // if_tsresol: nanoseconds.
        option(out, 9, &[9]);
        end_options(out);
        close(out, start);
        self.interfaces.len() as u32 - 1
    }
}

/// Type and room for the length.
fn open(out: &mut Vec<u8>, kind: u32) -> usize {
    let start = out.len();
    out.extend(kind.to_le_bytes());
    out.extend([0; 4]);
    start
}

/// The length, before and behind.
fn close(out: &mut Vec<u8>, start: usize) {
    let total = (out.len() - start + 4) as u32;
    if let Some(length) = out.get_mut(start + 4..start + 8) {
        length.copy_from_slice(&total.to_le_bytes());
    }
    out.extend(total.to_le_bytes());
}

fn time(out: &mut Vec<u8>, ts: Ts) {
    let nanos = u64::try_from(ts.0).unwrap_or(0);
    out.extend(((nanos >> 32) as u32).to_le_bytes());
    out.extend((nanos as u32).to_le_bytes());
}

fn cut(text: &[u8]) -> &[u8] {
    text.get(..text.len().min(LONGEST_TEXT)).unwrap_or_default()
}

/// An option; none for an empty value.
fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = cut(value);
    if !value.is_empty() {
        out.extend(code.to_le_bytes());
        out.extend((value.len() as u16).to_le_bytes());
        out.extend_from_slice(value);
        pad(out, value.len());
    }
}

fn end_options(out: &mut Vec<u8>) {
    out.extend([0; 4]);
}

fn pad(out: &mut Vec<u8>, len: usize) {
    out.resize(out.len() + len.next_multiple_of(4) - len, 0);
}
