//! Tests of the Modbus parser: builders and a bench for all of them.

mod facts;
mod flow;
mod functions;
mod hostile;
mod serial;
mod vectors;

use proto::Carrier;
use proto::testing::Bench;

proto::protocols! {
    /// Modbus alone.
    pub enum Set { Modbus: super::Modbus, }
}

/// Bytes of a hexadecimal text; blanks are for the reader.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// A PDU behind its MBAP header.
pub fn adu(transaction: u16, unit: u8, pdu: &[u8]) -> Vec<u8> {
    let length = u16::try_from(pdu.len() + 1).unwrap();
    let mut out = [transaction.to_be_bytes(), [0, 0], length.to_be_bytes()].concat();
    out.push(unit);
    out.extend_from_slice(pdu);
    out
}

/// A PDU of unit 17 in transaction 1.
pub fn pdu(text: &str) -> Vec<u8> {
    adu(1, 17, &hex(text))
}

/// A bench on the registered port.
pub fn bench() -> Bench<Set> {
    Bench::new(Carrier::Stream, 502)
}

/// What a row says after the name of its function, without the pair.
pub fn tail(row: &str) -> &str {
    let after = row.split_once("function_name=").unwrap().1;
    let tail = after.split_once(' ').map_or("", |s| s.1);
    let tail = if tail.starts_with("pair=") { "" } else { tail };
    tail.split_once(" pair=").map_or(tail, |s| s.0)
}

/// A row without what depends on frames and times.
pub fn timeless(row: &str) -> String {
    let of_time = |word: &&str| !word.starts_with("pair=") && !word.starts_with("response_time=");
    row.split(' ').skip(1).filter(of_time).collect::<Vec<_>>().join(" ")
}

/// Reasons of the anomalies so far.
pub fn reasons(bench: &Bench<Set>) -> Vec<String> {
    let reason = |row: &String| row.split_once("reason=").unwrap().1.split(' ').next().unwrap().to_owned();
    bench.rows("anomaly").iter().map(reason).collect()
}
