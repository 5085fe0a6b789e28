//! Writes pcapng (draft-ietf-opsawg-pcapng): one section, an interface per source and link type, nanoseconds, a comment per packet.

use std::io::{self, Write};

use gwcore::Ts;

/// Writes one section of packets.
pub struct Pcapng<W: Write> {
    out: W,
    interfaces: Vec<(u16, String)>,
}

impl<W: Write> Pcapng<W> {
    /// Begins a section; `application` says who wrote it.
    pub fn new(mut out: W, application: &str) -> io::Result<Pcapng<W>> {
        let mut body = Vec::new();
        body.extend_from_slice(&0x1A2B_3C4D_u32.to_le_bytes());
        body.extend_from_slice(&[1, 0, 0, 0]);
        body.extend_from_slice(&u64::MAX.to_le_bytes());
        option(&mut body, 4, application.as_bytes());
        body.extend_from_slice(&[0; 4]);
        block(&mut out, 0x0A0D_0D0A, &body)?;
        Ok(Pcapng { out, interfaces: Vec::new() })
    }

    /// Writes a packet from a named source, with the comment that Wireshark shows.
    pub fn packet(
        &mut self,
        link: u16,
        source: &str,
        ts: Ts,
        wire_len: u32,
        data: &[u8],
        comment: &str,
    ) -> io::Result<()> {
        let interface = match self.interfaces.iter().position(|(l, s)| *l == link && s == source) {
            Some(at) => at,
            None => {
                let mut body = Vec::new();
                body.extend_from_slice(&link.to_le_bytes());
                body.extend_from_slice(&[0; 6]);
                option(&mut body, 2, source.as_bytes());
                // if_tsresol: 10⁻⁹ s.
                option(&mut body, 9, &[9]);
                body.extend_from_slice(&[0; 4]);
                block(&mut self.out, 1, &body)?;
                self.interfaces.push((link, source.to_owned()));
                self.interfaces.len() - 1
            }
        };
        let ns = u64::try_from(ts.0).unwrap_or(0);
        let mut body = Vec::with_capacity(data.len() + 64);
        body.extend_from_slice(&u32::try_from(interface).unwrap_or(u32::MAX).to_le_bytes());
        body.extend_from_slice(&((ns >> 32) as u32).to_le_bytes());
        body.extend_from_slice(&(ns as u32).to_le_bytes());
        body.extend_from_slice(&u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes());
        body.extend_from_slice(&wire_len.to_le_bytes());
        body.extend_from_slice(data);
        pad(&mut body);
        if !comment.is_empty() {
            option(&mut body, 1, comment.as_bytes());
            body.extend_from_slice(&[0; 4]);
        }
        block(&mut self.out, 6, &body)
    }

    /// What was written so far, whole.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(60_000)];
    body.extend_from_slice(&code.to_le_bytes());
    body.extend_from_slice(&(value.len() as u16).to_le_bytes());
    body.extend_from_slice(value);
    pad(body);
}

fn block(out: &mut impl Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len() + 12).map_err(|_| io::Error::other("a packet of more than 4 GiB"))?;
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(body)?;
    out.write_all(&length.to_le_bytes())
}
