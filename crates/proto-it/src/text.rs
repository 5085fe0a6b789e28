//! Texts that are kept beyond their packet: how much of them, and as what.

use gwcore::Limit;

/// Longest text of a fact, in bytes.
const FACT_BYTES: usize = 256;

/// An owned copy of a text, one byte longer than a text cell at most, so that the cell still shows that it was cut.
pub(crate) fn keep(text: &[u8]) -> Box<[u8]> {
    text.get(..=Limit::TextBytes.default_value()).unwrap_or(text).into()
}

/// A text as facts have it.
pub(crate) fn fact_text(text: &[u8]) -> Box<str> {
    String::from_utf8_lossy(text.get(..FACT_BYTES).unwrap_or(text)).into()
}
