//! Zeek's intelligence files: tab-separated, columns named by a `#fields` line.

use std::io::BufRead;

use super::moment;
use crate::load::Into_;
use crate::store::New;
use crate::value::Kind;

/// Longest line read, in bytes.
const LONGEST_LINE: usize = 1 << 20;

pub(crate) fn read(reader: &mut dyn BufRead, to: &mut Into_<'_>) -> std::io::Result<()> {
    to.report.format = "zeek";
    let mut fields: Vec<String> = Vec::new();
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        let n = std::io::Read::take(&mut *reader, LONGEST_LINE as u64).read_until(b'\n', &mut line)?;
        if n == 0 {
            return Ok(());
        }
        number += 1;
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\r', '\n']);
        if let Some(names) = text.strip_prefix("#fields") {
            fields = names.split(['\t', ' ']).filter(|f| !f.is_empty()).map(str::to_owned).collect();
            continue;
        }
        if text.starts_with('#') || text.trim().is_empty() {
            continue;
        }
        let cells: Vec<&str> = text.split('\t').collect();
        let cell = |name: &str| {
            let place = fields.iter().position(|f| f == name)?;
            cells.get(place).copied().filter(|c| !c.is_empty() && *c != "-")
        };
        let (Some(value), Some(ty)) = (cell("indicator"), cell("indicator_type")) else {
            to.report.refuse(Some(number), text, "no indicator or indicator_type", false);
            continue;
        };
        let kind = match ty {
            "Intel::ADDR" => Kind::Address,
            "Intel::SUBNET" => Kind::Network,
            "Intel::DOMAIN" => Kind::Domain,
            "Intel::URL" => Kind::Url,
            "Intel::SOFTWARE" => Kind::UserAgent,
            "Intel::EMAIL" => Kind::Email,
            "Intel::USER_NAME" => Kind::User,
            "Intel::FILE_NAME" => Kind::FileName,
            "Intel::CERT_HASH" => Kind::CertSha1,
            "Intel::JA3" => Kind::Ja3,
            "Intel::FILE_HASH" => match value.len() {
                32 => Kind::Md5,
                40 => Kind::Sha1,
                _ => Kind::Sha256,
            },
            other => {
                to.report.refuse(Some(number), value, format!("`{other}` is no type that records carry"), false);
                continue;
            }
        };
        let new = New {
            source: cell("meta.source").unwrap_or("zeek intel file"),
            label: cell("meta.desc").unwrap_or_default(),
            confidence: cell("meta.confidence").and_then(super::confidence),
            until: cell("meta.expire").and_then(moment),
            ..New::default()
        };
        to.add(Some(number), kind, value, &new);
    }
}
