//! What holds whatever the data: same seed same bytes, a row's score is its own, every row has its line.

use learn::gbdt::{Ensemble, Flat, Params, Target, train};
use learn::matrix::Matrix;
use learn::rng::Rng;
use learn::{Algorithm, Data, Model, Setup, Task, fit};

use crate::tables::{flows, table};

fn setup(algorithm: Algorithm) -> Setup {
    let task = if algorithm.is_benign_only() { Task::BenignOnly } else { Task::Binary };
    Setup { label: Some("label".into()), drop: vec!["time".into()], task, algorithm, ..Setup::default() }
}

fn model(text: &str, setup: &Setup) -> Model {
    fit(&Data::new(table(text), setup).unwrap(), setup, &|_, _| ()).unwrap()
}

fn lines(model: &Model, text: &str) -> Vec<String> {
    let mut out = Vec::new();
    model.write_scores(&table(text), &mut out).unwrap();
    String::from_utf8(out).unwrap().lines().skip(1).map(|l| l.split_once(',').unwrap().1.to_owned()).collect()
}

#[test]
fn one_and_two_threads_make_the_same_bytes() {
    let text = flows(9000, 1);
    for algorithm in [Algorithm::Gbdt, Algorithm::Fusion, Algorithm::Hst] {
        let make = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| model(&text, &setup(algorithm)).to_bytes().unwrap())
        };
        assert!(make(1) == make(2), "{}", algorithm.name());
    }
}

#[test]
fn sums_of_many_rows_do_not_depend_on_threads() {
    let mut rng = Rng::new(2, 2);
    let (n, d) = (150_000, 4);
    let x = Matrix { width: d, cells: (0..n * d).map(|_| rng.unit() as f32).collect() };
    let class: Vec<u32> = (0..n).map(|r| u32::from(x.row(r)[0] + x.row(r)[1] * rng.unit() as f32 > 0.9)).collect();
    let weight = vec![1.0; n];
    let params = Params { rounds: 4, ..Params::default() };
    let make = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let target = Target { class: &class, classes: 2, weight: &weight };
        pool.install(|| train(&x, target, &[], &params, &|_| ()).ensemble)
    };
    assert!(make(1) == make(3));
}

#[test]
fn a_score_depends_on_its_row_alone() {
    let (text, fresh) = (flows(6000, 1), flows(1500, 2));
    for algorithm in [Algorithm::Gbdt, Algorithm::Fusion] {
        let m = model(&text, &setup(algorithm));
        let all = lines(&m, &fresh);
        let mut rows: Vec<&str> = fresh.lines().collect();
        assert_eq!(lines(&m, &rows[..1001].join("\n")), all[..1000]);
        let header = rows.remove(0);
        rows.reverse();
        let mut reversed = lines(&m, &format!("{header}\n{}\n", rows.join("\n")));
        reversed.reverse();
        assert_eq!(reversed, all);
        // Without the label, and with every label wrong.
        let cut = |l: &str| l.rsplit_once(',').unwrap().0.to_owned();
        assert_eq!(lines(&m, &fresh.lines().map(cut).collect::<Vec<_>>().join("\n")), all);
        let wrong = |l: &str| if l.starts_with("time") { l.to_owned() } else { cut(l) + ",zzz" };
        assert_eq!(lines(&m, &fresh.lines().map(wrong).collect::<Vec<_>>().join("\n")), all);
    }
}

#[test]
fn steps_and_pauses_do_not_depend_on_the_order_of_the_file() {
    let text = flows(4000, 5);
    let s = Setup { drop: vec![], time: Some("time".into()), group: vec!["host".into()], ..setup(Algorithm::Gbdt) };
    let m = model(&text, &s);
    assert!(m.encoder.features.iter().any(|f| f.name == "step:bytes"));
    let all = lines(&m, &text);
    let mut rows: Vec<&str> = text.lines().collect();
    let first = rows[..1001].join("\n");
    assert_eq!(lines(&m, &first), all[..1000]);
    let header = rows.remove(0);
    rows.reverse();
    let mut reversed = lines(&m, &format!("{header}\n{}\n", rows.join("\n")));
    reversed.reverse();
    assert_eq!(reversed, all);
}

#[test]
fn every_row_has_its_line_whatever_it_holds() {
    let m = model(&flows(3000, 1), &setup(Algorithm::Gbdt));
    let header = "time,host,proto,bytes,packets,rate,flag,label";
    let rows = [
        "1,h1,tcp,500,5,100,1,normal",
        "1,h1,never-seen,NaN,inf,-Infinity,,normal",
        "1,h1,tcp,500,5,100",
        "1,h1",
        "",
        "1,h1,tcp,500,5,100,1,normal,more,and,more",
        header,
        "x,y,z,not,a,number,\"quoted, \"\"text\"\"\",normal",
        "1,h1,tcp,1e300,-5,1e-300,1,normal",
        ",,,,,,,",
        "1,h1,tcp,500,5,100,1,normal",
    ];
    for algorithm in [Algorithm::Gbdt, Algorithm::Fusion, Algorithm::Mahalanobis, Algorithm::Iforest, Algorithm::Hst] {
        let m = if algorithm == Algorithm::Gbdt { m.clone() } else { model(&flows(3000, 1), &setup(algorithm)) };
        let out = lines(&m, &format!("{header}\n{}\n", rows.join("\n")));
        assert_eq!(out.len(), rows.len(), "{out:#?}");
        for (row, line) in rows.iter().zip(&out) {
            let fields: Vec<&str> = line.split(',').collect();
            let scored = fields[0].parse::<f64>().is_ok_and(f64::is_finite);
            assert_eq!(scored, fields[3].is_empty(), "{row:?}: {line}");
        }
        assert!([3, 4, 5, 6, 9].iter().all(|&at| out[at].starts_with(',')), "{out:#?}");
        assert_eq!(out[0], out[10]);
    }
}

#[test]
fn abreast_and_one_by_one_give_the_same_margins() {
    let mut rng = Rng::new(9, 9);
    let (n, d) = (3000, 7);
    let mut x = Matrix { width: d, cells: (0..n * d).map(|_| (rng.unit() * 30.0).floor() as f32).collect() };
    (0..n * d).step_by(11).for_each(|at| x.cells[at] = f32::NAN);
    (0..n * d).step_by(501).for_each(|at| x.cells[at] = f32::INFINITY);
    let class: Vec<u32> =
        (0..n as u32).map(|r| r.wrapping_mul(7).wrapping_add(x.row(r as usize)[1] as u32) % 3).collect();
    let weight = vec![1.0; n];
    for (leaves, classes) in [(31, 2), (31, 3), (60, 3), (200, 2)] {
        let class: Vec<u32> = class.iter().map(|c| c % classes).collect();
        let params = Params { rounds: 9, leaves, min_rows: 3, ..Params::default() };
        let target = Target { class: &class, classes: classes as usize, weight: &weight };
        let model: Ensemble = train(&x, target, &[], &params, &|_| ()).ensemble;
        let k = model.outputs();
        let all = Flat::new(&model).margins(&x);
        for r in 0..n {
            let mut one = vec![0.0; k];
            model.margins(x.row(r), &mut one);
            assert_eq!(one, all[r * k..(r + 1) * k], "row {r}, {leaves} leaves");
        }
        model.check().unwrap();
    }
}

#[test]
fn a_monotone_feature_never_lowers_the_margin() {
    let mut rng = Rng::new(4, 4);
    let n = 4000;
    let x = Matrix { width: 2, cells: (0..n * 2).map(|_| rng.unit() as f32).collect() };
    let class: Vec<u32> =
        (0..n).map(|r| u32::from((x.row(r)[0] * 9.0).sin() * 0.5 + x.row(r)[0] + rng.unit() as f32 > 1.0)).collect();
    let weight = vec![1.0; n];
    let params = Params { rounds: 30, monotone: vec![1], ..Params::default() };
    let model = train(&x, Target { class: &class, classes: 2, weight: &weight }, &[], &params, &|_| ()).ensemble;
    for b in [0.1f32, 0.6, 0.9] {
        let mut last = [f64::NEG_INFINITY];
        for a in 0..200 {
            let mut now = [0.0];
            model.margins(&[a as f32 / 200.0, b], &mut now);
            assert!(now[0] >= last[0] - 1e-6, "at {a}");
            last = now;
        }
    }
}

#[test]
fn a_damaged_model_is_refused_and_never_a_panic() {
    let m = model(&flows(1500, 1), &setup(Algorithm::Gbdt));
    let bytes = m.to_bytes().unwrap();
    assert!(Model::from_bytes(&bytes).unwrap() == m);
    let newer = String::from_utf8_lossy(&bytes[..80]).replacen(" 1 ", " 99 ", 1).into_bytes();
    assert!(Model::from_bytes(&newer).unwrap_err().to_string().contains("newer"));
    let mut rng = Rng::new(6, 6);
    for _ in 0..300 {
        let mut broken = bytes.clone();
        match rng.below(3) {
            0 => broken.truncate(rng.below(bytes.len())),
            _ => {
                let at = rng.below(bytes.len());
                broken[at] ^= 1 << rng.below(8);
            }
        }
        assert!(broken == bytes || Model::from_bytes(&broken).is_err());
    }
    // Bodies that decode but lie: every change of a number must be refused or score without a panic.
    let json = serde_json::to_value(&m).unwrap();
    for path in [
        "/body/ensemble/width",
        "/body/ensemble/trees/0/nodes/0/left",
        "/body/ensemble/trees/0/nodes/0/feature",
        "/normal",
    ] {
        let mut lie = json.clone();
        *lie.pointer_mut(path).unwrap() = serde_json::json!(777);
        let lie: Result<Model, _> = serde_json::from_value(lie);
        assert!(lie.is_err() || Model::from_bytes(&lie.unwrap().to_bytes().unwrap()).is_err(), "{path}");
    }
}
