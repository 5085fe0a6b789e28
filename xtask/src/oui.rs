//! `cargo xtask oui`: packs the IEEE's tables of address blocks, as Debian's `ieee-data` ships it, into the detect crate.

use std::io::Write;

use anyhow::Context;

const SOURCES: &[&str] = &["oui.csv", "mam.csv", "oui36.csv", "iab.csv"];
const PACKED: &str = "crates/detect/data/oui.tsv.gz";

/// Reads the CSVs, writes lines `AABBCC<tab>Vendor` (7 or 9 digits for the smaller blocks), sorted, one per block, gzip without a time stamp.
pub fn pack() -> anyhow::Result<()> {
    let mut lines: Vec<String> = Vec::new();
    for name in SOURCES {
        let path = format!("/usr/share/ieee-data/{name}");
        let csv = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read `{path}`: install the package ieee-data"))?;
        lines.extend(csv.lines().skip(1).filter_map(line));
    }
    lines.sort();
    lines.dedup_by(|a, b| a.split_once('\t').map(|l| l.0) == b.split_once('\t').map(|l| l.0));
    let mut gz = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::best());
    lines.iter().try_for_each(|l| writeln!(gz, "{l}"))?;
    std::fs::create_dir_all("crates/detect/data")?;
    std::fs::write(PACKED, gz.finish()?)?;
    Ok(())
}

/// `MA-L,AABBCC,"Name, Inc",address` to the packed line; quotes doubled inside quotes as in RFC 4180. Blocks that the registry keeps to divide
/// them among smaller ones have no maker.
fn line(csv: &str) -> Option<String> {
    let (registry, rest) = csv.split_once(',')?;
    let digits = match registry {
        "MA-L" => 6,
        "MA-M" => 7,
        "MA-S" | "IAB" => 9,
        _ => return None,
    };
    let (block, rest) = rest.split_at_checked(digits)?;
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
    let has_maker = !matches!(name.as_str(), "IEEE Registration Authority" | "Private");
    (has_maker && block.bytes().all(|b| b.is_ascii_hexdigit()))
        .then(|| format!("{}\t{name}", block.to_ascii_uppercase()))
}
