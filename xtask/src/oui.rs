//! `cargo xtask oui`: packs the IEEE's table of address blocks, as Debian's `ieee-data` ships it, into the detect crate.

use std::io::Write;

use anyhow::Context;

const SOURCE: &str = "/usr/share/ieee-data/oui.csv";
const PACKED: &str = "crates/detect/data/oui.tsv.gz";

/// Reads the CSV, writes lines `AABBCC<tab>Vendor`, sorted, one per block, gzip without a time stamp.
pub fn pack() -> anyhow::Result<()> {
    let csv = std::fs::read_to_string(SOURCE)
        .with_context(|| format!("cannot read `{SOURCE}`: install the package ieee-data"))?;
    let mut lines: Vec<String> = csv.lines().skip(1).filter_map(line).collect();
    lines.sort();
    lines.dedup_by(|a, b| a.get(..6) == b.get(..6));
    let mut gz = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::best());
    lines.iter().try_for_each(|l| writeln!(gz, "{l}"))?;
    std::fs::create_dir_all("crates/detect/data")?;
    std::fs::write(PACKED, gz.finish()?)?;
    Ok(())
}

/// `MA-L,AABBCC,"Name, Inc",address` to the packed line; quotes doubled inside quotes as in RFC 4180.
fn line(csv: &str) -> Option<String> {
    let rest = csv.strip_prefix("MA-L,")?;
    let (block, rest) = rest.split_at_checked(6)?;
    let rest = rest.strip_prefix(',')?;
    let name = match rest.strip_prefix('"') {
        Some(quoted) => {
            let mut name = String::new();
            let mut chars = quoted.chars().peekable();
            while let Some(c) = chars.next() {
                match c {
                    '"' if chars.peek() == Some(&'"') => name.extend(chars.next()),
                    '"' => break,
                    c => name.push(c),
                }
            }
            name
        }
        None => rest.split(',').next()?.to_owned(),
    };
    let name = name.trim().replace('\t', " ");
    block.bytes().all(|b| b.is_ascii_hexdigit()).then(|| format!("{}\t{name}", block.to_ascii_uppercase()))
}
