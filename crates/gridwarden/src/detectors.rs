//! `gridwarden detectors`: the fixed list.

use crate::say::say;

/// Prints the list.
pub fn run(json: bool) -> anyhow::Result<u8> {
    if json {
        let list: Vec<_> = detect::META
            .iter()
            .map(|m| {
                serde_json::json!({ "id": m.id, "number": m.number, "finds": m.finds, "needs": m.needs,
                    "severity": m.severity.name(), "attack": m.attack, "innocent": m.innocent, "call": m.call })
            })
            .collect();
        say!("{}", serde_json::to_string_pretty(&list)?);
        return Ok(0);
    }
    for m in detect::META {
        say!("{:<22} {:<8} {}\n{:31} needs: {}; {}", m.id, m.severity.name(), m.finds, "", m.needs, m.attack.join(" "));
    }
    Ok(0)
}
