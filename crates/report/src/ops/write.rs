//! One document, three forms: HTML without script, CSV by section, JSON.

use std::fmt::Write;

use crate::html::e;
use crate::ops::{Cell, Document, Section};

/// A page that needs nothing but itself.
pub fn html(document: &Document) -> String {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"><title>{}</title><style>{}{}</style></head><body><main>",
        e(&document.title),
        include_str!("../report.css"),
        ".bar{display:block;height:5px;background:var(--low);border-radius:2px}.mark{text-align:center;font-weight:600;margin:6px}@media print{header{color:#000;border:1px solid #000}}"
    );
    let marking =
        if document.marking.is_empty() { String::new() } else { format!("<p class=mark>{}</p>", e(&document.marking)) };
    // Writing to a string cannot fail, here and below.
    let _ = write!(
        page,
        "{marking}<header><p class=brand>Gridwarden</p><h1>{}</h1><p>{}</p></header><div class=cards>",
        e(&document.title),
        e(&document.covers)
    );
    for (words, figure) in &document.figures {
        let _ = write!(page, "<div><b>{}</b><span>{}</span></div>", e(figure), e(words));
    }
    page.push_str("</div>");
    for section in &document.sections {
        table(&mut page, section);
    }
    let _ = write!(
        page,
        "<footer>Written by gridwarden {}. Every figure is counted from the records named.</footer>{marking}</main></body></html>",
        env!("CARGO_PKG_VERSION")
    );
    page
}

fn table(page: &mut String, s: &Section) {
    let _ = write!(page, "<section><h2>{}</h2><p>{}</p>", e(&s.title), e(&s.note));
    if s.rows.is_empty() {
        page.push_str("<p>None.</p></section>");
        return;
    }
    let most = s.bars.map_or(0.0, |at| s.rows.iter().filter_map(|r| number(&r[at])).fold(0.0, f64::max));
    let is_number = |at: usize| s.rows.iter().any(|r| number(&r[at]).is_some());
    let _ = write!(page, "<div class=wide><table><caption>{}</caption><thead><tr>", e(&s.title));
    for (at, head) in s.heads.iter().enumerate() {
        let _ = write!(page, "<th scope=col{}>{}</th>", if is_number(at) { " class=n" } else { "" }, e(head));
    }
    page.push_str("</tr></thead><tbody>");
    for row in s.rows.iter().take(s.shown) {
        page.push_str("<tr>");
        for (at, cell) in row.iter().enumerate() {
            let text = shown(cell);
            match (s.bars == Some(at), number(cell)) {
                (true, Some(n)) if most > 0.0 => {
                    let _ = write!(
                        page,
                        "<td class=n>{}<span class=bar style=\"width:{:.1}%\"></span></td>",
                        e(&text),
                        n * 100.0 / most
                    );
                }
                (_, Some(_)) => {
                    let _ = write!(page, "<td class=n>{}</td>", e(&text));
                }
                _ => {
                    let _ = write!(page, "<td>{}</td>", e(&text));
                }
            }
        }
        page.push_str("</tr>");
    }
    page.push_str("</tbody></table></div>");
    if s.rows.len() > s.shown {
        let _ = write!(page, "<p>{} more rows stand in the CSV and JSON files.</p>", s.rows.len() - s.shown);
    }
    page.push_str("</section>");
}

fn number(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Count(n) => Some(*n as f64),
        Cell::Number(n) => Some(*n),
        _ => None,
    }
}

/// As it stands in a page: counts with thin groups of three, what was not measured as a dash.
fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => text.clone(),
        Cell::Number(n) => format!("{n}"),
        Cell::Missing => "–".to_owned(),
        Cell::Count(n) => {
            let digits = n.to_string();
            let mut out = String::new();
            for (i, c) in digits.chars().enumerate() {
                if i > 0 && (digits.len() - i) % 3 == 0 {
                    out.push(',');
                }
                out.push(c);
            }
            out
        }
    }
}

/// One CSV a section: its name and text.
pub fn csv(document: &Document) -> Vec<(&'static str, String)> {
    let one = |s: &Section| {
        let mut text = s.heads.iter().map(|h| lake::csv_cell(h)).collect::<Vec<_>>().join(",") + "\n";
        for row in &s.rows {
            let cells = row.iter().map(|c| match c {
                Cell::Text(t) => lake::csv_cell(t),
                Cell::Count(n) => n.to_string(),
                Cell::Number(n) => n.to_string(),
                Cell::Missing => String::new(),
            });
            text += &(cells.collect::<Vec<_>>().join(",") + "\n");
        }
        text
    };
    document.sections.iter().map(|s| (s.name, one(s))).collect()
}

/// The whole document.
pub fn json(document: &Document) -> String {
    serde_json::to_string_pretty(document).unwrap_or_default() + "\n"
}
