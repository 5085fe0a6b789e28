//! Repository chores: setup, test, scaffold, docs, bench.

mod oui;

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("oui") => oui::pack(),
        _ => anyhow::bail!("usage: cargo xtask oui"),
    }
}
