//! The library's figures without the program: `speed DATA LABEL DROP [COLUMNS]` times training, scoring and explaining on one thread;
//! `score TRAIN TEST LABEL DROP TASK ALGORITHM OUT [COLUMNS]` trains and scores as the commands do.

use std::path::{Path, PathBuf};

use learn::gbdt::{Explainer, Flat, Params, Target, train};
use learn::table::Table;
use learn::{Data, Setup, fit};

/// CPU seconds of this process so far.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let text = |at: usize| args.get(at).cloned().unwrap_or_default();
    let result = match text(0).as_str() {
        "speed" => speed(&text(1), &text(2), &text(3), args.get(4)),
        "score" => score(&args),
        "grid" => grid(&text(1), &text(2), &text(3)),
        other => Err(learn::Error::Option(format!("`{other}`: speed, score or grid"))),
    };
    if let Err(e) = result {
        report(&format!("{e}"));
        std::process::exit(2);
    }
}

#[allow(clippy::print_stdout)]
fn report(line: &str) {
    println!("{line}");
}

fn setup(label: &str, drop: &str) -> Setup {
    let drop = drop.split(',').filter(|d| !d.is_empty()).map(str::to_owned).collect();
    Setup { label: Some(label.to_owned()), drop, ..Setup::default() }
}

fn score(args: &[String]) -> learn::Result<()> {
    let columns = args.get(8).map(PathBuf::from);
    let mut setup = setup(&args[3], &args[4]);
    setup.task = args[5].parse()?;
    setup.algorithm = args[6].parse()?;
    let before = cpu();
    let data = Data::new(Table::load(&[PathBuf::from(&args[1])], columns.as_deref())?, &setup)?;
    let model = fit(&data, &setup, &|_, _| ())?;
    let trained = cpu();
    let test = Table::load(&[PathBuf::from(&args[2])], columns.as_deref())?;
    let mut out = Vec::new();
    model.write_scores(&test, &mut out)?;
    std::fs::write(&args[7], out).map_err(|e| learn::Error::file(Path::new(&args[7]), e))?;
    report(&format!(
        "trained in {:.2} CPU s, scored in {:.2}; {}",
        trained - before,
        cpu() - trained,
        model.card.parameters
    ));
    Ok(())
}

/// Trains with each line of settings (JSON, on standard input) and prints what is found in the test rows.
fn grid(train_path: &str, test_path: &str, label: &str) -> learn::Result<()> {
    let setup = setup(label, "");
    let data = Data::new(Table::load(&[PathBuf::from(train_path)], None)?, &setup)?;
    let test = Data::new(Table::load(&[PathBuf::from(test_path)], None)?, &setup)?;
    let class = &data.labels.class;
    let risk: Vec<f32> = class.iter().map(|c| *c as f32).collect();
    let roles = learn::encode::Roles { barred: data.barred.clone(), time: None, group: &[], keeps_constant: false };
    let (encoder, _) = learn::encode::Encoder::fit(&data.table, &data.labels.rows, &risk, &roles)?;
    let x = encoder.encode(&data.table)?.matrix.take(&data.labels.rows);
    let y = encoder.encode(&test.table)?.matrix.take(&test.labels.rows);
    let weight = vec![1.0; class.len()];
    for line in std::io::stdin().lines().map_while(Result::ok).filter(|l| !l.trim().is_empty()) {
        let mut settings = serde_json::to_value(Params::default()).unwrap_or_default();
        let given: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        for (k, v) in given.as_object().into_iter().flatten() {
            settings[k] = v.clone();
        }
        let params: Params = serde_json::from_value(settings).map_err(|e| learn::Error::Option(e.to_string()))?;
        let before = cpu();
        let model = train(&x, Target { class, classes: 2, weight: &weight }, &[], &params, &|_| ()).ensemble;
        let seconds = cpu() - before;
        let judged = learn::validate::Judged {
            classes: vec!["normal".into(), "attack".into()],
            normal: Some(0),
            truth: test.labels.class.clone(),
            label: vec![0; test.labels.class.len()],
            score: model.margins_of(&y),
            ..Default::default()
        };
        let f = judged.figures(&judged.order(), &vec![1.0; judged.truth.len()]);
        let at3 = learn::validate::found_at(&judged, 0.03);
        report(&format!("{:.4} {:.4} {:.4} {:.4} {seconds:6.2} s {line}", f[7], f[8], f[12], at3));
    }
    Ok(())
}

fn speed(path: &str, label: &str, drop: &str, columns: Option<&String>) -> learn::Result<()> {
    let setup = setup(label, drop);
    let start = cpu();
    let data = Data::new(Table::load(&[PathBuf::from(path)], columns.map(Path::new))?, &setup)?;
    let read = cpu();
    let rows = data.labels.rows.clone();
    let class = &data.labels.class;
    let risk: Vec<f32> = class.iter().map(|c| *c as f32).collect();
    let roles = learn::encode::Roles { barred: data.barred.clone(), time: None, group: &[], keeps_constant: false };
    let (encoder, _) = learn::encode::Encoder::fit(&data.table, &rows, &risk, &roles)?;
    let x = encoder.encode(&data.table)?.matrix;
    let encoded = cpu();
    let weight = vec![1.0; rows.len()];
    let target = Target { class, classes: 2, weight: &weight };
    let params = Params::default();
    let model = train(&x, target, &[], &params, &|_| ()).ensemble;
    let trained = cpu();
    let flat = Flat::new(&model);
    let mut times = 0;
    let mut sum = 0.0;
    while times < 3 || cpu() - trained < 2.0 {
        sum += flat.margins(&x).iter().sum::<f64>();
        times += 1;
    }
    let scored = cpu();
    let explainer = Explainer::new(&model);
    let mut explained = 0;
    while explained < 1000 || cpu() - scored < 2.0 {
        sum += explainer.values(x.row(explained * 37 % x.rows()))[0];
        explained += 1;
    }
    let end = cpu();
    report(&format!(
        "{{\"rows\": {}, \"width\": {}, \"read_s\": {:.2}, \"encode_s\": {:.2}, \"train_s\": {:.2}, \"score_rows_per_s\": {:.0}, \"shap_rows_per_s\": {:.0}, \"check\": {}}}",
        x.rows(),
        x.width,
        read - start,
        encoded - read,
        trained - encoded,
        (x.rows() * times) as f64 / (scored - trained),
        explained as f64 / (end - scored),
        sum.is_finite()
    ));
    Ok(())
}
