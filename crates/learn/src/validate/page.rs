//! The validation report as one HTML page: figures with their intervals, curves as inline SVG, no script.

use std::fmt::Write;

use serde_json::Value;

use super::Outcome;
use super::metrics::Judged;

/// Points of a curve that are drawn at most.
const POINTS: usize = 300;
/// Side of a chart in pixels.
const SIDE: f64 = 240.0;
const COLOURS: [&str; 5] = ["#1f5fa8", "#b3541e", "#2f7d4f", "#7a4a9e", "#555555"];

/// Makes the page.
pub fn page(outcome: &Outcome) -> String {
    let j = &outcome.json;
    let mut out = String::with_capacity(64 << 10);
    out.push_str(concat!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Validation</title>",
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        "<style>body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222}",
        "table{border-collapse:collapse;margin:.6rem 0}td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:right}",
        "td:first-child,th:first-child{text-align:left}small{color:#666}.charts{display:flex;flex-wrap:wrap;gap:1.2rem}",
        "figure{margin:0}figcaption{font-size:13px;color:#444}svg{background:#fafafa}h2{margin-top:2rem}</style></head><body>"
    ));
    let _ = write!(
        out,
        "<h1>Validation: {} by {}</h1><p>{} rows of training data, {} left out. Every figure stands with the range that 95 % of draws of whole blocks gave.</p>",
        text(&j["task"]),
        text(&j["algorithm"]),
        text(&j["data"]["rows"]),
        j["data"]["left_out"].as_object().map_or(0, |o| o.values().filter_map(Value::as_u64).sum::<u64>())
    );
    for note in j["notes"].as_array().into_iter().flatten() {
        let _ = write!(out, "<p>Note: {}</p>", text(note));
    }
    shortcuts(&mut out, &j["shortcuts"]);
    figures(&mut out, j);
    beside(&mut out, j);
    charts(&mut out, &outcome.judged);
    families(&mut out, j);
    out.push_str("</body></html>\n");
    out
}

fn shortcuts(out: &mut String, s: &Value) {
    out.push_str("<h2>Before any figure: what gives the label away</h2>");
    let _ = write!(
        out,
        "<p>{} rows, {} different ones; {} rows have the same columns as a row of another class. A single column that ranks attacks with an area of 0.95 or more may be a shortcut of this data set.</p>",
        text(&s["rows"]),
        text(&s["different_rows"]),
        text(&s["contradicting_rows"])
    );
    out.push_str("<table><tr><th>column</th><th>area under the ROC curve alone</th><th></th></tr>");
    for c in s["single_columns"].as_array().into_iter().flatten().take(8) {
        let mark = if c["suspicious"] == true { "suspicious" } else { "" };
        let _ = write!(out, "<tr><td>{}</td><td>{}</td><td>{mark}</td></tr>", text(&c["column"]), figure(&c["auc"]));
    }
    out.push_str("</table>");
}

fn figures(out: &mut String, j: &Value) {
    const SHOWN: [&str; 11] =
        ["accuracy", "precision", "recall", "f1", "macro_f1", "mcc", "roc_auc", "pr_auc", "fpr", "brier", "ece"];
    out.push_str("<h2>Splits side by side</h2><table><tr><th>split (seed)</th><th>rows</th><th>attacks</th>");
    SHOWN.iter().for_each(|n| out.push_str(&format!("<th>{n}</th>")));
    out.push_str("<th>found at 1 % false</th></tr>");
    for part in j["splits"].as_array().into_iter().flatten() {
        let name = format!("{} ({})", text(&part["split"]), text(&part["seed"]));
        let _ = write!(out, "<tr><td>{name}</td><td>{}</td><td>{}</td>", text(&part["n"]), figure(&part["prevalence"]));
        for n in SHOWN {
            let _ = write!(out, "<td>{}{}</td>", figure(&part[n]), range(&part["intervals"][n]));
        }
        let tpr = &part["tpr_at_fpr"]["0.01"];
        let _ = write!(out, "<td>{}{}</td></tr>", figure(tpr), range(&part["intervals"]["tpr_at_fpr"]["0.01"]));
    }
    out.push_str("</table>");
    for part in j["splits"].as_array().into_iter().flatten().filter(|p| p["episodes"].is_object()) {
        let e = &part["episodes"];
        let _ = write!(
            out,
            "<p>{} ({}): {} of {} attack episodes found, median delay {} s; {} false episodes a day.</p>",
            text(&part["split"]),
            text(&part["seed"]),
            text(&e["found"]),
            text(&e["episodes"]),
            figure(&e["delay_median_s"]),
            figure(&e["false_per_day"])
        );
    }
}

fn beside(out: &mut String, j: &Value) {
    if let Some(gap) = j["optimism_gap"].as_object() {
        out.push_str("<h2>Optimism: what a random split promises more</h2><table><tr><th>against</th>");
        let names = ["accuracy", "macro_f1", "roc_auc", "pr_auc"];
        names.iter().for_each(|n| out.push_str(&format!("<th>{n}</th>")));
        out.push_str("</tr>");
        for (split, g) in gap {
            let _ = write!(out, "<tr><td>{}</td>", escape(split));
            names.iter().for_each(|n| out.push_str(&format!("<td>{}</td>", figure(&g[*n]))));
            out.push_str("</tr>");
        }
        out.push_str("</table>");
    }
    out.push_str("<h2>Simple rules to beat</h2><table><tr><th>split</th><th>rule</th><th>column</th><th>ROC area</th><th>PR area</th></tr>");
    for (split, rules) in j["baselines"].as_object().into_iter().flatten() {
        for (rule, b) in rules.as_object().into_iter().flatten() {
            let _ = write!(
                out,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                escape(split),
                escape(rule),
                text(&b["feature"]),
                figure(&b["roc_auc"]),
                figure(&b["pr_auc"])
            );
        }
    }
    out.push_str("</table>");
}

fn families(out: &mut String, j: &Value) {
    let parts: Vec<&Value> =
        j["splits"].as_array().into_iter().flatten().filter(|p| p["families"].is_array()).take(1).collect();
    for part in parts {
        out.push_str("<h2>Families that were not learned</h2><table><tr><th>family</th><th>rows</th><th>ROC area</th><th>PR area</th><th>found at 1 % false</th><th>labelled</th></tr>");
        for f in part["families"].as_array().into_iter().flatten() {
            let u = &f["unseen"];
            let _ = write!(
                out,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                text(&f["family"]),
                text(&f["rows"]),
                figure(&u["roc_auc"]),
                figure(&u["pr_auc"]),
                figure(&u["tpr_at_fpr"]["0.01"]),
                figure(&u["recall"])
            );
        }
        out.push_str("</table>");
    }
}

fn charts(out: &mut String, judged: &[(String, Judged)]) {
    let with_attacks: Vec<(&str, Curves)> =
        judged.iter().filter_map(|(name, j)| Some((name.as_str(), Curves::of(j)?))).collect();
    if !with_attacks.is_empty() {
        out.push_str("<h2>Curves</h2><div class=\"charts\">");
        let series = |pick: fn(&Curves) -> &Vec<(f64, f64)>| {
            with_attacks.iter().map(|(n, c)| (*n, pick(c).clone())).collect::<Vec<_>>()
        };
        chart(
            out,
            "ROC: share found (up) at share of false alarms (right, logarithmic from 0.0001)",
            &series(|c| &c.roc),
            false,
        );
        chart(out, "Precision (up) at share found (right)", &series(|c| &c.pr), false);
        chart(
            out,
            "Calibration: share of attacks (up) where the score says (right)",
            &series(|c| &c.calibration),
            true,
        );
        chart(
            out,
            "Drift: share labelled wrongly (up) from the first to the last tenth of the judged rows",
            &series(|c| &c.drift),
            false,
        );
        out.push_str("</div>");
    }
    for (name, j) in judged.iter().filter(|(_, j)| j.classes.len() <= 40) {
        let _ = write!(out, "<h2>Confusion, {}</h2><table><tr><th>is \\ labelled</th>", escape(name));
        j.classes.iter().for_each(|c| out.push_str(&format!("<th>{}</th>", escape(c))));
        out.push_str("</tr>");
        for (class, row) in j.classes.iter().zip(j.confusion()) {
            let sum = row.iter().sum::<usize>().max(1) as f64;
            let _ = write!(out, "<tr><td>{}</td>", escape(class));
            for count in row {
                let shade = count as f64 / sum * 0.6;
                let _ = write!(out, "<td style=\"background:rgba(31,95,168,{shade:.2})\">{count}</td>");
            }
            out.push_str("</tr>");
        }
        out.push_str("</table>");
    }
}

#[derive(Default)]
struct Curves {
    roc: Vec<(f64, f64)>,
    pr: Vec<(f64, f64)>,
    calibration: Vec<(f64, f64)>,
    drift: Vec<(f64, f64)>,
}

impl Curves {
    fn of(j: &Judged) -> Option<Curves> {
        let attacks = (0..j.truth.len()).filter(|i| j.is_attack(*i)).count() as f64;
        let normal = j.truth.len() as f64 - attacks;
        if attacks == 0.0 || normal == 0.0 {
            return None;
        }
        let mut out = Curves::default();
        let (mut tp, mut fp) = (0.0f64, 0.0f64);
        for &row in &j.order() {
            if j.is_attack(row as usize) {
                tp += 1.0
            } else {
                fp += 1.0
            }
            // From 0.0001 to 1 on a logarithmic axis.
            let x = ((fp / normal).max(1e-4).log10() / 4.0) + 1.0;
            out.roc.push((x, tp / attacks));
            out.pr.push((tp / attacks, tp / (tp + fp)));
        }
        if j.is_probability {
            let mut bins = [[0.0f64; 3]; 15];
            for (i, p) in j.score.iter().enumerate() {
                let bin = &mut bins[((p * 15.0) as usize).min(14)];
                *bin = [bin[0] + 1.0, bin[1] + p, bin[2] + f64::from(u8::from(j.is_attack(i)))];
            }
            out.calibration = bins.iter().filter(|b| b[0] > 0.0).map(|b| (b[1] / b[0], b[2] / b[0])).collect();
        }
        let tenth = j.truth.len().div_ceil(10).max(1);
        for (at, rows) in (0..j.truth.len()).collect::<Vec<_>>().chunks(tenth).enumerate() {
            let wrong = rows.iter().filter(|&&i| j.truth[i] != j.label[i]).count() as f64 / rows.len() as f64;
            out.drift.push(((at as f64 + 0.5) / 10.0, wrong));
        }
        Some(out)
    }
}

fn chart(out: &mut String, caption: &str, series: &[(&str, Vec<(f64, f64)>)], diagonal: bool) {
    if series.iter().all(|(_, points)| points.is_empty()) {
        return;
    }
    let (w, pad) = (SIDE, 24.0);
    let full = w + 2.0 * pad;
    let _ =
        write!(out, "<figure><svg width=\"{full}\" height=\"{full}\" role=\"img\" aria-label=\"{}\">", escape(caption));
    let _ = write!(
        out,
        "<rect x=\"{pad}\" y=\"{pad}\" width=\"{w}\" height=\"{w}\" fill=\"#fff\" stroke=\"#bbb\"/><text x=\"{pad}\" y=\"{:.0}\" font-size=\"11\">0</text><text x=\"{:.0}\" y=\"{:.0}\" font-size=\"11\">1</text>",
        full - 8.0,
        pad + w - 8.0,
        full - 8.0
    );
    if diagonal {
        let _ = write!(
            out,
            "<line x1=\"{pad}\" y1=\"{:.0}\" x2=\"{:.0}\" y2=\"{pad}\" stroke=\"#ccc\"/>",
            pad + w,
            pad + w
        );
    }
    for (at, (_, points)) in series.iter().enumerate() {
        let step = points.len().div_ceil(POINTS).max(1);
        let mut line = String::new();
        for (x, y) in points.iter().step_by(step).chain(points.last()) {
            let _ = write!(line, "{:.1},{:.1} ", pad + x.clamp(0.0, 1.0) * w, pad + (1.0 - y.clamp(0.0, 1.0)) * w);
        }
        let colour = COLOURS[at % COLOURS.len()];
        let _ = write!(out, "<polyline points=\"{line}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>");
    }
    out.push_str("</svg><figcaption>");
    let _ = write!(out, "{}<br>", escape(caption));
    for (at, (name, _)) in series.iter().enumerate() {
        let _ = write!(out, "<span style=\"color:{}\">{}</span> ", COLOURS[at % COLOURS.len()], escape(name));
    }
    out.push_str("</figcaption></figure>");
}

fn figure(v: &Value) -> String {
    v.as_f64().map_or_else(|| "–".to_owned(), |x| format!("{x:.4}"))
}

fn range(v: &Value) -> String {
    match v.as_array().map(|a| (a.first().and_then(Value::as_f64), a.get(1).and_then(Value::as_f64))) {
        Some((Some(l), Some(h))) => format!("<br><small>{l:.4} to {h:.4}</small>"),
        _ => String::new(),
    }
}

fn text(v: &Value) -> String {
    match v {
        Value::String(s) => escape(s),
        Value::Null => "–".to_owned(),
        other => escape(&other.to_string()),
    }
}

/// Text of others never becomes markup.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
