//! Figures on made tables: what training must find, what validation must say.

use learn::validate::{Options, page, run};
use learn::{Algorithm, Data, Setup, Task, fit};

use crate::tables::{flows, table};

fn setup() -> Setup {
    Setup { label: Some("label".into()), time: Some("time".into()), drop: vec!["host".into()], ..Setup::default() }
}

#[test]
fn trees_and_detectors_find_what_was_put_in() {
    let (learn, fresh) = (flows(8000, 1), flows(4000, 2));
    let shares = |setup: &Setup| {
        let model = fit(&Data::new(table(&learn), setup).unwrap(), setup, &|_, _| ()).unwrap();
        let data = Data::of_test(table(&fresh), setup).unwrap();
        let out = learn::validate::judge(&model, &data, &|_, _| ()).unwrap().json["splits"][0].clone();
        (out["roc_auc"].as_f64().unwrap(), out["recall"].as_f64().unwrap(), out["fpr"].as_f64().unwrap())
    };
    let (auc, recall, fpr) = shares(&setup());
    assert!(auc > 0.999 && recall > 0.98 && fpr < 0.03, "gbdt {auc} {recall} {fpr}");
    let (auc, recall, fpr) = shares(&Setup { task: Task::Multiclass, ..setup() });
    assert!(auc > 0.999 && recall > 0.98 && fpr < 0.03, "multiclass {auc} {recall} {fpr}");
    for (algorithm, least) in
        [(Algorithm::Fusion, 0.96), (Algorithm::Mahalanobis, 0.95), (Algorithm::Iforest, 0.8), (Algorithm::Hst, 0.8)]
    {
        let (auc, _, fpr) = shares(&Setup { task: Task::BenignOnly, algorithm, ..setup() });
        assert!(auc > least && fpr < 0.035, "{} {auc} {fpr}", algorithm.name());
    }
}

#[test]
fn validation_says_every_figure_for_every_split() {
    let setup = setup();
    let data = Data::new(table(&flows(3000, 3)), &setup).unwrap();
    let options = Options { splits: vec![], seeds: Some(2) };
    let out = run(&data, None, &setup, &options, &|_, _| ()).unwrap();
    let splits = out.json["splits"].as_array().unwrap();
    let names: Vec<&str> = splits.iter().map(|s| s["split"].as_str().unwrap()).collect();
    assert_eq!(names, ["temporal", "temporal", "grouped", "grouped", "family", "family", "random", "random"]);
    for split in splits {
        for name in [
            "accuracy",
            "precision",
            "recall",
            "f1",
            "macro_f1",
            "mcc",
            "roc_auc",
            "pr_auc",
            "threshold",
            "fpr",
            "brier",
            "ece",
            "prevalence",
        ] {
            let x = split[name].as_f64().unwrap_or_else(|| panic!("{name} of {}", split["split"]));
            let range = split["intervals"][name].as_array().unwrap_or_else(|| panic!("range of {name}: {split:#}"));
            let (low, high) = (range[0].as_f64().unwrap(), range[1].as_f64().unwrap());
            assert!(low <= x + 1e-6 && x <= high + 1e-6, "{name}: {low} {x} {high}");
        }
        assert!(["0.0001", "0.001", "0.01"].iter().all(|a| split["tpr_at_fpr"][a].as_f64().is_some()));
        assert!(split["per_class"]["attack"]["support"].as_u64().unwrap() > 0);
        assert!(split["episodes"]["episodes"].as_u64().unwrap() > 0 && split["episodes"]["found"].is_u64());
    }
    assert_eq!(splits[4]["families"].as_array().unwrap().len(), 3);
    assert!(out.json["optimism_gap"]["temporal"]["accuracy"].is_f64());
    assert!(out.json["baselines"]["temporal"]["mahalanobis"]["roc_auc"].as_f64().unwrap() > 0.5);
    assert!(out.json["shortcuts"]["single_columns"].as_array().unwrap().len() > 3);
    let html = page(&out);
    assert!(html.matches("<svg").count() >= 3 && html.contains("Confusion") && !html.contains("<script"));
}

#[test]
fn explanations_add_up_and_cleaning_accounts_for_every_row() {
    let setup = setup();
    let text = flows(3000, 4);
    let data = Data::new(table(&text), &setup).unwrap();
    let model = fit(&data, &setup, &|_, _| ()).unwrap();
    let said = model.explain(&data.table, &[1, 2, 3, 40, 41, 42, 43, 44, 45]).unwrap();
    for row in said["rows"].as_array().unwrap() {
        let sum: f64 = row["parts"].as_object().unwrap().values().map(|v| v.as_f64().unwrap()).sum();
        let (total, expected) = (row["total"].as_f64().unwrap(), row["expected"].as_f64().unwrap());
        assert!((sum + expected - total).abs() < 1e-6, "{row:#}");
    }
    let mut rows: Vec<&str> = text.lines().collect();
    let again = rows[10];
    rows.extend([again, again, "1,2", "1,h1,tcp,inf,5,100,1,normal"]);
    let dirty = table(&rows.join("\n"));
    let (clean, account) = learn::clean::clean(&dirty, &setup, &|_, _| ()).unwrap();
    let removed: u64 = account["removed_rows"].as_object().unwrap().values().map(|v| v.as_u64().unwrap()).sum();
    assert_eq!(clean.rows as u64 + removed, dirty.rows as u64);
    assert_eq!(account["removed_rows"]["equal to an earlier row"], 2);
    assert_eq!(account["changed_cells"]["bytes"]["infinite, now missing"], 1);
    let found = learn::select::select(&data, &setup, &|_, _| ()).unwrap();
    let top: Vec<&str> =
        found["features"].as_array().unwrap().iter().map(|f| f["feature"].as_str().unwrap()).take(3).collect();
    assert!(top.contains(&"packets") || top.contains(&"bytes"), "{top:?}");
}

#[test]
fn a_column_that_never_moved_is_unlike_once_it_moves() {
    let with_constant = |moved: Option<usize>| {
        let mut text = "a,f,kind,label\n".to_owned();
        for row in 0..2000 {
            let (f, kind) = if moved == Some(row) { ("90", "write") } else { ("3", "read") };
            text.push_str(&format!("{},{f},{kind},normal\n", 100 + (row * 7919) % 1009));
        }
        text
    };
    for algorithm in [Algorithm::Fusion, Algorithm::Mahalanobis] {
        let setup =
            Setup { label: Some("label".into()), task: Task::BenignOnly, algorithm, fpr: 0.001, ..Setup::default() };
        let model = fit(&Data::new(table(&with_constant(None)), &setup).unwrap(), &setup, &|_, _| ()).unwrap();
        let fresh = table(&with_constant(Some(1234)));
        let scores = model.scores(&model.encoder.encode(&fresh).unwrap().matrix);
        let most = (0..2000).filter(|r| *r != 1234).map(|r| scores.score[r]).fold(0.0, f64::max);
        assert!(scores.score[1234] > 1.5 * most, "{}: {} {most}", algorithm.name(), scores.score[1234]);
    }
}
