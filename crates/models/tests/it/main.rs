//! A model of ours goes out as ONNX and comes in again: the same scores, and no byte of the file can make reading or running panic.

use std::collections::HashMap;
use std::io::Write;

use learn::table::Table;
use learn::{Algorithm, Data, Setup, Task};
use models::onnx::proto::Data as Cells;
use models::onnx::{ModelProto, Session, Value};

/// Rows with holes; the third class is rare.
fn csv(n: usize, words: bool) -> String {
    let mut text = String::from(if words { "a,service,b,label\n" } else { "a,b,c,label\n" });
    let mut x = 12_345u64;
    let mut next = || {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (x >> 40) as f64 / (1u64 << 24) as f64
    };
    for i in 0..n {
        let (a, b, c) = (next() * 10.0, next() - 0.5, next());
        let word = ["modbus", "dns", "http"][i % 3];
        let hole = |v: f64, at: usize| if i % 11 == at { String::new() } else { v.to_string() };
        let label = if a > 7.0 && b > 0.0 {
            "scan"
        } else if (c > 0.8 && !words) || (words && word == "http" && b > 0.3) {
            "flood"
        } else {
            "normal"
        };
        let middle = if words { word.to_owned() } else { hole(b, 3) };
        let last = if words { hole(b, 5) } else { hole(c, 7) };
        text += &format!("{},{middle},{last},{label}\n", hole(a, 1));
    }
    text
}

fn trained(text: &str, task: Task, algorithm: Algorithm) -> (learn::Model, Table) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows.csv");
    std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    let setup = Setup { label: Some("label".into()), task, algorithm, ..Setup::default() };
    let table = Table::load(std::slice::from_ref(&path), None).unwrap();
    let data = Data::new(Table::load(&[path], None).unwrap(), &setup).unwrap();
    (learn::fit(&data, &setup, &|_, _| {}).unwrap(), table)
}

#[test]
fn trees_score_the_same_in_onnx() {
    for task in [Task::Binary, Task::Multiclass] {
        let (model, table) = trained(&csv(1_500, false), task, Algorithm::Gbdt);
        let file = models::to_onnx(&model).unwrap();
        let session = Session::new(ModelProto::from_bytes(&file).unwrap()).unwrap();
        assert_eq!(session.classes, model.classes);
        let x = model.encoder.encode(&table).unwrap().matrix;
        let (p, k) = session.rows(&x.cells, x.width).unwrap();
        assert_eq!(k, model.classes.len());
        let normal = model.normal.unwrap();
        for (row, want) in p.chunks_exact(k).zip(model.raw_scores(&x)) {
            let have: f64 = row.iter().enumerate().filter(|(c, _)| *c != normal).map(|(_, p)| f64::from(*p)).sum();
            assert!((have - want).abs() < 1e-5, "{have} {want}");
        }
    }
}

#[test]
fn words_become_their_places_in_the_graph() {
    let (model, table) = trained(&csv(1_500, true), Task::Binary, Algorithm::Gbdt);
    let session = Session::new(ModelProto::from_bytes(&models::to_onnx(&model).unwrap()).unwrap()).unwrap();
    let n = table.rows;
    let column = |name: &str| &table.columns[table.find(name).unwrap()];
    let mut numbers = Vec::new();
    (0..n).for_each(|r| numbers.extend([column("a").number(r) as f32, column("b").number(r) as f32]));
    let mut given = HashMap::new();
    given.insert(models::FEATURES.to_owned(), Value::floats(vec![n, 2], numbers));
    let mut words: Vec<String> = (0..n).map(|r| column("service").text(r).unwrap()).collect();
    words[0] = "never seen".into();
    given.insert("word:service".to_owned(), Value { shape: vec![n, 1], data: Cells::Texts(words) });
    let out = session.run(given).unwrap();
    let k = model.classes.len();
    let x = model.encoder.encode(&table).unwrap().matrix;
    let normal = model.normal.unwrap();
    let pairs = out.as_floats().unwrap().chunks_exact(k).zip(model.raw_scores(&x)).skip(1);
    for (row, want) in pairs {
        assert!((1.0 - f64::from(row[normal]) - want).abs() < 1e-5);
    }
}

#[test]
fn no_change_of_a_byte_makes_it_panic() {
    let (model, _) = trained(&csv(400, false), Task::Multiclass, Algorithm::Gbdt);
    let file = models::to_onnx(&model).unwrap();
    let row = vec![1.0f32; model.encoder.width()];
    let mut read = 0;
    let step = (file.len() / 1_500).max(1);
    for i in (0..file.len()).step_by(step) {
        for b in [0, 0x7f, 0x80, 0xff, file[i] ^ 1] {
            let mut bad = file.clone();
            bad[i] = b;
            if let Ok(session) = ModelProto::from_bytes(&bad).and_then(Session::new) {
                let _ = session.rows(&row, row.len());
                read += 1;
            }
        }
        let _ = ModelProto::from_bytes(&file[..i]).and_then(Session::new);
    }
    assert!(read > 0);
}

#[test]
fn what_does_not_fit_is_refused_with_a_reason() {
    let (model, _) = trained(&csv(400, false), Task::Binary, Algorithm::Gbdt);
    let file = models::to_onnx(&model).unwrap();
    let session = Session::new(ModelProto::from_bytes(&file).unwrap()).unwrap();
    assert!(session.rows(&[1.0; 8], 4).unwrap_err().to_string().contains("shape_mismatch"));
    let changed = |f: &dyn Fn(&mut ModelProto)| {
        let mut proto = ModelProto::from_bytes(&file).unwrap();
        f(&mut proto);
        Session::new(proto).unwrap_err().to_string()
    };
    assert!(changed(&|p| p.opsets[0].1 = 99).contains("opset 99"));
    assert!(changed(&|p| p.ir_version = 2).contains("IR version 2"));
    assert!(changed(&|p| p.graph.nodes[0].op = "SVMClassifier".into()).contains("SVMClassifier"));
    assert!(changed(&|p| p.graph.nodes[0].inputs[0] = "nothing".into()).contains("nothing"));
    let (fusion, _) = trained(&csv(600, false), Task::BenignOnly, Algorithm::Fusion);
    assert!(models::to_onnx(&fusion).unwrap_err().to_string().contains("fusion"));
}
