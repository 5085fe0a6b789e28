//! Text tables: comma, semicolon or tab found by itself, quotes, gzip, and rows that are not whole.

use std::io::Read;
use std::path::Path;

use super::{Column, Fault, Table, distinct};
use crate::error::{Error, Result};

/// The most that a compressed file may unfold to.
const MAX_UNFOLDED: u64 = 16 << 30;
/// The most columns.
const MAX_COLUMNS: usize = 16_384;
/// A quoted field longer than this is a stray quote.
const MAX_QUOTED: usize = 64 << 10;
/// Bytes looked at in vain for the end of quoted fields before a quote is only believed within its line.
const MAX_IN_VAIN: usize = 16 << 20;

/// Reads a text table; `names` stand for the header that is not there.
pub fn read(path: &Path, bytes: Vec<u8>, names: Option<&[String]>) -> Result<Table> {
    let bytes = unfold(path, bytes)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    parse(bytes, names).map_err(|what| Error::file(path, what))
}

fn unfold(path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut out = Vec::new();
    let mut limited = flate2::read::MultiGzDecoder::new(&bytes[..]).take(MAX_UNFOLDED + 1);
    limited.read_to_end(&mut out).map_err(|e| Error::file(path, e))?;
    if out.len() as u64 > MAX_UNFOLDED {
        return Err(Error::file(path, "unfolds to more than 16 GiB"));
    }
    Ok(out)
}

fn parse(bytes: &[u8], names: Option<&[String]>) -> Result<Table, String> {
    let end = bytes.iter().rposition(|b| !b.is_ascii_whitespace()).map_or(0, |at| at + 1);
    let mut lines = Lines { bytes: &bytes[..end], at: 0, delimiter: delimiter(&bytes[..end]), in_vain: 0 };
    let mut fields = Vec::new();
    let header: Vec<String> = match names {
        Some(names) => names.to_vec(),
        None => {
            if !lines.next(&mut fields) {
                return Err("the file is empty: no header".into());
            }
            let mut names: Vec<String> = fields.iter().map(|f| f.trim().to_owned()).collect();
            for (at, name) in names.iter_mut().enumerate().filter(|(_, n)| n.is_empty()) {
                *name = format!("column{}", at + 1);
            }
            distinct(names)
        }
    };
    if header.len() > MAX_COLUMNS {
        return Err(format!("more than {MAX_COLUMNS} columns"));
    }
    let mut table = Table { columns: vec![Column::default(); header.len()], names: header, ..Table::default() };
    let comma = lines.delimiter != b',';
    while lines.next(&mut fields) {
        let (want, have) = (table.names.len(), fields.len());
        let blank = have == 1 && want > 1 && fields[0].trim().is_empty();
        let row = u32::try_from(table.rows).map_err(|_| "more than 4 thousand million rows".to_owned())?;
        let fault = if blank {
            Some(Fault::Short(0, want))
        } else if have < want {
            Some(Fault::Short(have, want))
        } else if have > want && !(have == want + 1 && fields[want].trim().is_empty()) {
            Some(Fault::Long(have, want))
        } else if want > 1 && fields.iter().zip(&table.names).all(|(f, n)| f.trim() == n) {
            Some(Fault::Header)
        } else {
            None
        };
        let usable = match fault {
            Some(Fault::Long(..) | Fault::Header) => 0,
            Some(Fault::Short(have, _)) => have,
            None => want,
        };
        for (at, column) in table.columns.iter_mut().enumerate() {
            match fields.get(at) {
                Some(field) if at < usable => column.push_field(field, comma),
                _ => column.push_missing(),
            }
        }
        if let Some(fault) = fault {
            table.faults.insert(row, fault);
        }
        table.rows += 1;
    }
    Ok(table)
}

/// The sign that parts the first lines most evenly.
fn delimiter(bytes: &[u8]) -> u8 {
    let head = &bytes[..bytes.len().min(64 << 10)];
    let mut best = (0, b',');
    for candidate in [b',', b';', b'\t'] {
        let mut lines = Lines { bytes: head, at: 0, delimiter: candidate, in_vain: 0 };
        let mut fields = Vec::new();
        let mut counts = Vec::new();
        while counts.len() < 20 && lines.next(&mut fields) {
            counts.push(fields.len());
        }
        let Some(&first) = counts.first() else { continue };
        let even = counts.iter().filter(|&&c| c == first).count();
        let worth = if first > 1 { even * 100_000 / counts.len() + first.min(10_000) } else { 0 };
        if worth > best.0 {
            best = (worth, candidate);
        }
    }
    best.1
}

/// Goes through the records of a text table.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    delimiter: u8,
    in_vain: usize,
}

impl<'a> Lines<'a> {
    /// The fields of the next record; false at the end.
    fn next(&mut self, fields: &mut Vec<std::borrow::Cow<'a, str>>) -> bool {
        fields.clear();
        if self.at >= self.bytes.len() {
            return false;
        }
        loop {
            // Spaces before a quote are no part of the field.
            let mut start = self.at;
            while matches!(self.bytes.get(start), Some(b' ')) {
                start += 1;
            }
            let quoted = (self.bytes.get(start) == Some(&b'"')).then(|| self.quoted(start + 1)).flatten();
            let end = match quoted {
                Some(end) => {
                    let inner = String::from_utf8_lossy(&self.bytes[start + 1..end]);
                    let inner = if inner.contains("\"\"") { inner.replace("\"\"", "\"").into() } else { inner };
                    fields.push(inner);
                    let mut after = end + 1;
                    while matches!(self.bytes.get(after), Some(b' ' | b'\r')) {
                        after += 1;
                    }
                    after
                }
                None => {
                    let rest = &self.bytes[self.at..];
                    let (d, cut) = (self.delimiter, rest.len());
                    let end = self.at + rest.iter().position(|&b| b == d || b == b'\n').unwrap_or(cut);
                    let field = &self.bytes[self.at..end];
                    fields.push(String::from_utf8_lossy(field.strip_suffix(b"\r").unwrap_or(field)));
                    end
                }
            };
            self.at = end + 1;
            match self.bytes.get(end) {
                Some(&b) if b == self.delimiter => {
                    if end + 1 >= self.bytes.len() {
                        fields.push("".into());
                        return true;
                    }
                }
                _ => return true,
            }
        }
    }

    /// Where the quote stands that ends the field beginning at `from`: followed by a delimiter, a line's end or the file's.
    fn quoted(&mut self, from: usize) -> Option<usize> {
        let limit = self.bytes.len().min(from + MAX_QUOTED);
        let one_line = self.in_vain > MAX_IN_VAIN;
        let mut at = from;
        while at < limit {
            match self.bytes[at] {
                b'"' if self.bytes.get(at + 1) == Some(&b'"') => at += 2,
                b'"' => {
                    let mut after = at + 1;
                    while matches!(self.bytes.get(after), Some(b' ' | b'\r')) {
                        after += 1;
                    }
                    match self.bytes.get(after) {
                        None | Some(b'\n') => return Some(at),
                        Some(&b) if b == self.delimiter => return Some(at),
                        Some(_) => break,
                    }
                }
                b'\n' if one_line => break,
                _ => at += 1,
            }
        }
        self.in_vain += at - from;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::Cell;
    use super::*;

    fn check(text: &str) -> Table {
        parse(text.as_bytes(), None).unwrap()
    }

    #[test]
    fn quotes_semicolons_and_missing_cells() {
        let t = check("a, b ,a\n1,\"x, \"\"y\"\"\",\n-Inf,NaN,0x10\n");
        assert_eq!(t.names, ["a", "b", "a.1"]);
        assert_eq!(t.rows, 2);
        assert_eq!(t.columns[1].cell(0), Cell::Text("x, \"y\""));
        assert_eq!(t.columns[2].cell(0), Cell::Missing);
        assert_eq!(t.columns[0].cell(1), Cell::Number(f64::NEG_INFINITY));
        assert_eq!((t.columns[1].cell(1), t.columns[2].cell(1)), (Cell::Missing, Cell::Text("0x10")));
        let t = check("a;b\r\n1,5;True\r\n;x\r\n\r\n7;y\r\n\r\n");
        assert_eq!((t.rows, t.columns[0].number(0), t.columns[1].number(0)), (4, 1.5, 1.0));
        assert_eq!(t.faults.get(&2), Some(&Fault::Short(0, 2)));
    }

    #[test]
    fn rows_that_are_not_whole_keep_their_place() {
        let t = check("a,b,c\n1,2,3\n1,2\n1,2,3,4\na,b,c\n\"1,2,3\n4,5,6\n");
        let faults: Vec<_> = t.faults.iter().map(|(r, f)| (*r, f.clone())).collect();
        assert_eq!(faults, [(1, Fault::Short(2, 3)), (2, Fault::Long(4, 3)), (3, Fault::Header)]);
        assert_eq!((t.rows, t.columns[0].cell(4), t.columns[2].number(5)), (6, Cell::Text("\"1"), 6.0));
    }

    #[test]
    fn no_bytes_are_too_wild() {
        let seed = b"a;b,c\n\"1\";2,\"x\n\"y\"\"\",\0\xff\n,,,;\n\"";
        let mut rng = crate::rng::Rng::new(1, 2);
        for round in 0..3000 {
            let mut bytes = seed.to_vec();
            for _ in 0..1 + round % 7 {
                let at = rng.below(bytes.len());
                match rng.below(3) {
                    0 => bytes[at] = rng.bits() as u8,
                    1 => bytes.truncate(at.max(1)),
                    _ => bytes.extend_from_within(at..),
                }
            }
            let _ = parse(&bytes, None);
        }
    }
}
