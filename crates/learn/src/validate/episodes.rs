//! Attacks counted as an operator meets them: by episode, with the delay, and false alarms by day.

use serde_json::{Value, json};

use super::metrics::{Judged, number};
use super::splits::{blocks, families};
use crate::error::Result;
use crate::fit::Data;
use crate::hash::HashMap;

/// Silence that ends an episode, in seconds.
const SILENCE: f64 = 300.0;

/// Episodes of the judged entries: rows of one family (and group) without five minutes of silence between them.
pub fn count(data: &Data, entries: &[u32], judged: &Judged, group: &[String]) -> Result<Value> {
    let (of, _) = families(data, None)?;
    let keys = if group.is_empty() { vec![0; data.labels.rows.len()] } else { blocks(data, group)? };
    let alarm = |i: usize| judged.normal != Some(judged.label[i] as usize);
    let seconds = |i: usize| data.seconds[entries[i] as usize];
    let mut order: Vec<usize> = (0..entries.len()).filter(|i| !seconds(*i).is_nan()).collect();
    order.sort_by(|a, b| seconds(*a).total_cmp(&seconds(*b)).then(a.cmp(b)));
    // By family and group: begin, last, first alarm.
    let mut open: HashMap<(u32, u64), (f64, f64, Option<f64>)> = HashMap::default();
    let mut done: Vec<(f64, Option<f64>)> = Vec::new();
    let mut false_open: HashMap<u64, f64> = HashMap::default();
    let mut false_episodes = 0usize;
    for &i in &order {
        let (t, e) = (seconds(i), entries[i] as usize);
        if judged.is_attack(i) {
            let episode = open.entry((of[e], keys[e])).or_insert((t, t, None));
            if t - episode.1 > SILENCE {
                done.push((episode.0, episode.2));
                *episode = (t, t, None);
            }
            episode.1 = t;
            if alarm(i) && episode.2.is_none() {
                episode.2 = Some(t);
            }
        } else if alarm(i) {
            let last = false_open.insert(keys[e], t);
            if last.is_none_or(|last| t - last > SILENCE) {
                false_episodes += 1;
            }
        }
    }
    done.extend(open.into_values().map(|o| (o.0, o.2)));
    let mut delays: Vec<f64> = done.iter().filter_map(|(begin, found)| found.map(|f| f - begin)).collect();
    delays.sort_unstable_by(f64::total_cmp);
    let span = match (order.first(), order.last()) {
        (Some(a), Some(b)) => seconds(*b) - seconds(*a),
        _ => 0.0,
    };
    let at = |q: f64| delays.get(((delays.len().max(1) - 1) as f64 * q) as usize).copied().unwrap_or(f64::NAN);
    // A rate by day needs an hour, at least.
    let per_day = if span >= 3600.0 { false_episodes as f64 * 86_400.0 / span } else { f64::NAN };
    Ok(
        json!({"episodes": done.len(), "found": delays.len(), "delay_median_s": number(at(0.5)), "delay_p95_s": number(at(0.95)),
        "false_episodes": false_episodes, "span_s": number(span), "false_per_day": number(per_day), "silence_s": SILENCE}),
    )
}
