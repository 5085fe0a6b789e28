//! Opens the bytes of an input: file or standard input, unpacked when its first bytes say that it is packed.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

use gwcore::{Limit, Limits};

use crate::error::{self, Error};
use crate::report::Compression;

/// Packed bytes read at once.
const PACKED_BLOCK: usize = 128 << 10;

/// An open input.
pub(crate) struct Source {
    pub(crate) bytes: Box<dyn Read + Send>,
    pub(crate) compression: Compression,
}

/// Opens `path`; `-` is standard input.
pub(crate) fn open(path: &Path, limits: &Limits) -> Result<Source, Error> {
    if path.as_os_str() == "-" {
        return unpack(io::stdin(), limits);
    }
    let file = File::open(path).map_err(|err| Error::open(&err))?;
    unpack(file, limits)
}

/// Reads the first four bytes, decides by them and puts them back; works on streams that cannot seek.
fn unpack(mut raw: impl Read + Send + 'static, limits: &Limits) -> Result<Source, Error> {
    let mut head = Vec::with_capacity(4);
    raw.by_ref().take(4).read_to_end(&mut head).map_err(|err| Error::Read(error::plain(&err)))?;
    let compression = compression(&head);
    let raw = Cursor::new(head).chain(raw);
    let bytes: Box<dyn Read + Send> = match compression {
        Compression::None => Box::new(raw),
        Compression::Gzip => {
            Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(PACKED_BLOCK, raw)))
        }
        Compression::Zstd => Box::new(zstd_decoder(raw, limits).map_err(|err| Error::Read(error::plain(&err)))?),
    };
    Ok(Source { bytes, compression })
}

fn compression(head: &[u8]) -> Compression {
    match head {
        [0x1f, 0x8b, 8, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Compression::Zstd,
        // A skippable frame (RFC 8878 section 3.1.2) before the first one, as pzstd writes.
        [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Compression::Zstd,
        _ => Compression::None,
    }
}

fn zstd_decoder(raw: impl Read + Send + 'static, limits: &Limits) -> io::Result<impl Read + Send + 'static> {
    let raw = BufReader::with_capacity(PACKED_BLOCK, raw);
    let mut decoder = zstd::stream::read::Decoder::with_buffer(raw)?;
    decoder.window_log_max(limits.get(Limit::ZstdWindowBytes).max(1024).ilog2())?;
    Ok(decoder)
}
