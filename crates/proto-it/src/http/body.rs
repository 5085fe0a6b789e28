//! Message bodies as they stream by: content codings undone through a capped sink, hashed once, typed from their first bytes.

use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use flate2::write::{DeflateDecoder, GzDecoder, ZlibDecoder};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;

use super::sniff::{HEAD_BYTES, mime};

/// What is known of a body once it is over.
#[derive(Debug, Default)]
pub struct BodySummary {
    /// Decoded bytes seen.
    pub len: u64,
    /// Media type.
    pub mime: Option<&'static str>,
    /// MD5, of responses.
    pub md5: Option<[u8; 16]>,
    /// SHA-1, of responses.
    pub sha1: Option<[u8; 20]>,
    /// SHA-256.
    pub sha256: Option<[u8; 32]>,
    /// The first decoded bytes.
    pub head: Vec<u8>,
    /// Decoding stopped at the limit.
    pub over_limit: bool,
    /// The content coding was broken or unfinished.
    pub bad_coding: bool,
}

/// Content codings that are undone (RFC 9110 §8.4.1, RFC 7932).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Coding {
    /// None.
    #[default]
    Identity,
    /// gzip.
    Gzip,
    /// zlib or, as some senders do, raw deflate.
    Deflate,
    /// Brotli.
    Brotli,
    /// Unknown, or several on top of each other: hashed as sent.
    Unknown,
}

impl Coding {
    /// Reads a Content-Encoding or the codings before `chunked`.
    pub fn read(value: &[u8]) -> Coding {
        let mut found = Coding::Identity;
        for token in value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
            let is = |name: &str| token.eq_ignore_ascii_case(name.as_bytes());
            let coding = match () {
                () if token.is_empty() || is("identity") => continue,
                () if is("gzip") || is("x-gzip") => Coding::Gzip,
                () if is("deflate") => Coding::Deflate,
                () if is("br") => Coding::Brotli,
                () => Coding::Unknown,
            };
            found = if found == Coding::Identity { coding } else { Coding::Unknown };
        }
        found
    }
}

/// Where decoded bytes go: hashes, the head, a count; an error once `cap` is passed.
struct Sink {
    all: Option<(Md5, Sha1)>,
    sha256: Sha256,
    head: Vec<u8>,
    len: u64,
    cap: u64,
    over: bool,
}

impl Sink {
    fn new(cap: u64, all_hashes: bool) -> Sink {
        let all = all_hashes.then(Default::default);
        Sink { all, sha256: Sha256::new(), head: Vec::new(), len: 0, cap, over: false }
    }
}

impl Write for Sink {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let room = usize::try_from(self.cap.saturating_sub(self.len)).unwrap_or(usize::MAX);
        let taken = data.get(..room).unwrap_or(data);
        if let Some((md5, sha1)) = &mut self.all {
            md5.update(taken);
            sha1.update(taken);
        }
        self.sha256.update(taken);
        let head = HEAD_BYTES.saturating_sub(self.head.len());
        self.head.extend_from_slice(taken.get(..head).unwrap_or(taken));
        self.len = self.len.saturating_add(taken.len() as u64);
        if taken.len() < data.len() {
            self.over = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(data.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Decoder {
    Plain(Box<Sink>),
    Gzip(Box<GzDecoder<Sink>>),
    Zlib(Box<ZlibDecoder<Sink>>),
    Raw(Box<DeflateDecoder<Sink>>),
    Brotli(Box<DecompressorWriter<Sink>>),
}

impl Decoder {
    fn sink(&mut self) -> &mut Sink {
        match self {
            Decoder::Plain(s) => s,
            Decoder::Gzip(d) => d.get_mut(),
            Decoder::Zlib(d) => d.get_mut(),
            Decoder::Raw(d) => d.get_mut(),
            Decoder::Brotli(d) => d.get_mut(),
        }
    }

    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Decoder::Plain(s) => s.write(data),
            Decoder::Gzip(d) => d.write(data),
            Decoder::Zlib(d) => d.write(data),
            Decoder::Raw(d) => d.write(data),
            Decoder::Brotli(d) => d.write(data),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self {
            Decoder::Plain(_) => Ok(()),
            Decoder::Gzip(d) => d.try_finish(),
            Decoder::Zlib(d) => d.try_finish(),
            Decoder::Raw(d) => d.try_finish(),
            Decoder::Brotli(d) => d.close(),
        }
    }
}

enum Stage {
    /// Nothing came yet; the first byte chooses between zlib and raw deflate.
    Waiting(Coding, Box<Sink>),
    Decoding(Decoder),
    /// Broken or over the limit: only counted by the caller.
    Stopped,
}

/// A body under way. Its state is bounded by the window of the coding (gzip 32 KiB; Brotli grows with what was
/// decoded, so at most to the limit).
pub struct BodyReader {
    stage: Stage,
    /// What came of it; kept when the decoder and its window are gone.
    ended: Option<Sink>,
    whole: bool,
    bad: bool,
}

/// Bytes of output the Brotli decoder hands on at once.
const BROTLI_BUFFER: usize = 4_096;

impl BodyReader {
    /// A body in `coding`, decoded up to `cap` bytes; all three hashes or SHA-256 alone.
    pub fn new(coding: Coding, cap: usize, all_hashes: bool) -> BodyReader {
        // What is sent plainly costs the sender as much as us and is not capped.
        let plain = matches!(coding, Coding::Identity | Coding::Unknown);
        let sink = Sink::new(if plain { u64::MAX } else { cap as u64 }, all_hashes);
        BodyReader { stage: Stage::Waiting(coding, Box::new(sink)), ended: None, whole: true, bad: false }
    }

    /// More of it.
    pub fn write(&mut self, data: &[u8]) {
        let Some(first) = data.first() else { return };
        self.stage = match std::mem::replace(&mut self.stage, Stage::Stopped) {
            Stage::Waiting(coding, sink) => Stage::Decoding(start(coding, sink, *first)),
            other => other,
        };
        let Stage::Decoding(decoder) = &mut self.stage else { return };
        let mut rest = data;
        while !rest.is_empty() {
            match decoder.write(rest) {
                // The coded stream is over; what follows it belongs to nobody.
                Ok(0) => break,
                Ok(n) => rest = rest.get(n..).unwrap_or_default(),
                Err(_) => return self.stop(),
            }
        }
    }

    /// Bytes of it are missing: no hash can be given, and coded data cannot be followed further.
    pub fn gap(&mut self) {
        self.whole = false;
        let plain = match &self.stage {
            Stage::Waiting(coding, _) => matches!(coding, Coding::Identity | Coding::Unknown),
            Stage::Decoding(decoder) => matches!(decoder, Decoder::Plain(_)),
            Stage::Stopped => true,
        };
        if !plain {
            self.stop();
            self.bad = false;
        }
    }

    fn stop(&mut self) {
        self.bad = true;
        if let Stage::Decoding(mut decoder) = std::mem::replace(&mut self.stage, Stage::Stopped) {
            self.ended = Some(std::mem::replace(decoder.sink(), Sink::new(0, false)));
        }
    }

    /// It is over; `whole` says whether all of it came.
    pub fn finish(mut self, whole: bool) -> BodySummary {
        self.whole &= whole;
        if let Stage::Decoding(mut decoder) = std::mem::replace(&mut self.stage, Stage::Stopped) {
            self.bad |= decoder.finish().is_err() && self.whole;
            self.ended = Some(std::mem::replace(decoder.sink(), Sink::new(0, false)));
        }
        let Some(mut sink) = self.ended else { return BodySummary::default() };
        let mut summary =
            BodySummary { len: sink.len, over_limit: sink.over, mime: mime(&sink.head), ..Default::default() };
        summary.bad_coding = self.bad && !sink.over;
        if self.whole && !self.bad && !sink.over {
            if let Some((md5, sha1)) = sink.all.take() {
                summary.md5 = Some(md5.finalize().into());
                summary.sha1 = Some(sha1.finalize().into());
            }
            summary.sha256 = Some(sink.sha256.finalize().into());
        }
        summary.head = sink.head;
        summary
    }
}

fn start(coding: Coding, sink: Box<Sink>, first: u8) -> Decoder {
    match coding {
        Coding::Identity | Coding::Unknown => Decoder::Plain(sink),
        Coding::Gzip => Decoder::Gzip(Box::new(GzDecoder::new(*sink))),
        // RFC 1950: method 8 and a window of at most 32 KiB; as raw deflate that would be a stored block with odd padding.
        Coding::Deflate if first & 0x8f == 8 => Decoder::Zlib(Box::new(ZlibDecoder::new(*sink))),
        Coding::Deflate => Decoder::Raw(Box::new(DeflateDecoder::new(*sink))),
        Coding::Brotli => Decoder::Brotli(Box::new(DecompressorWriter::new(*sink, BROTLI_BUFFER))),
    }
}
