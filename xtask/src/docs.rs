//! `cargo xtask docs`: reference pages made from the code, so that they cannot be wrong about it.

use std::fmt::Write as _;

use anyhow::ensure;

use crate::sh;

/// Writes the pages; with `check` only compares them and fails when they are stale.
pub fn run(check: bool) -> anyhow::Result<()> {
    let pages = [
        ("docs/records.md", records()),
        ("docs/findings.md", findings()),
        ("docs/limits.md", limits()),
        ("docs/left-raw.md", left_raw()),
        ("docs/features.md", features()),
    ];
    for (name, text) in pages {
        let path = sh::root().join(name);
        if check {
            let is = std::fs::read_to_string(&path).unwrap_or_default();
            ensure!(is == text, "`{name}` is stale: run `cargo xtask docs`");
        } else {
            std::fs::write(&path, text)?;
        }
    }
    Ok(())
}

fn records() -> String {
    let mut page = String::from(
        "# Records\n\nEvery kind of record, made from the code by `cargo xtask docs`. Each record also carries `ts`, `uid`, addresses, ports, MAC \
         addresses, VLANs, `file`, `frame` and `interface`.\n",
    );
    for kind in engine::kinds().into_iter().chain(ingest::kinds()) {
        let _ = write!(page, "\n## {}\n\n{}\n\nGrain: {:?}.", kind.name, kind.doc.trim(), kind.grain);
        if let Some((parent, field)) = kind.parent {
            let _ = write!(page, " Part of `{parent}`, nested there as `{field}`.");
        }
        page += "\n\n| field | type | unit | meaning |\n|---|---|---|---|\n";
        for f in kind.fields {
            let optional = if f.nullable { ", may be absent" } else { "" };
            let doc = f.doc.trim().replace('|', "\\|").replace('\n', " ");
            let _ = writeln!(page, "| `{}` | {:?}{optional} | {} | {doc} |", f.name, f.ty, f.unit);
        }
    }
    page
}

fn findings() -> String {
    let mut page =
        String::from("# Findings\n\nThe fixed list of detectors, made from the code by `cargo xtask docs`.\n");
    for m in detect::META {
        let _ = write!(
            page,
            "\n## {}\n\n{}\n\n- Severity: {} unless said otherwise.\n- Needs: {}.\n- Innocent causes: {}\n- Whom to call: {}.\n- ATT&CK for ICS: {}.\n- \
             Number in EVE: {}.\n",
            m.id,
            m.finds,
            m.severity.name(),
            m.needs,
            m.innocent,
            m.call,
            m.attack.join(", "),
            m.number
        );
    }
    page
}

fn features() -> String {
    let mut page = String::from(
        "# Features\n\nEvery feature of `gridwarden features`, made from the code by `cargo xtask docs`. Columns that name a row (`ts`, `end`, `src`, \
         `dst`, `uid`, `frame`, `situation`) are no features.\n",
    );
    for (which, name) in features::Which::ALL {
        let family = which.family();
        let _ = write!(page, "\n## {name}\n\n{} One row: {}. Version {}.\n\n", family.doc, family.row, family.version);
        page += "| feature | unit | meaning | from |\n|---|---|---|---|\n";
        for f in &family.features {
            let doc = f.doc.replace('|', "\\|").replace('\n', " ");
            let _ = writeln!(page, "| `{}` | {} | {doc} | {} |", f.name, f.unit, f.source);
        }
    }
    page
}

fn left_raw() -> String {
    let mut page = String::from(
        "# Left raw\n\nWhat utility protocols carry and no parser takes apart, made from the code by `cargo xtask docs`. Its octets stand whole in the \
         row (`value_bytes` of `dnp3_object`, `iec104_object` and `s7comm_item`, `data` of `modbus`, `user_data` of `s7comm`). Everything else of \
         DNP3, IEC 104 and Modbus is shown by at least three vectors for each object, type identification or function.\n\n\
         | protocol | code | what it is |\n|---|---|---|\n",
    );
    for (proto, code, name) in proto_ot::left_raw() {
        let _ = writeln!(page, "| {proto} | {code} | {name} |");
    }
    page
}

fn limits() -> String {
    let mut page = String::from(
        "# Limits\n\nEvery table and buffer that traffic can fill, made from the code by `cargo xtask docs`. How often each was reached stands in \
         `summary.json` under `drops`.\n\n| name | default | what it bounds, and what happens |\n|---|---|---|\n",
    );
    for l in gwcore::Limit::ALL {
        let _ = writeln!(page, "| `{}` | {} | {} |", l.key(), l.default_value(), l.doc().trim().replace('\n', " "));
    }
    page
}
