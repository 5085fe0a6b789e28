//! `gridwarden models`: exchange with other tools, and which model is active.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ::features::Which;
use ::models::live::{ModelRef, Usual};
use ::models::{Form, Live, Loaded, Manifest, New, Registry, Schema, Scorer, budget, gates, to_onnx};
use anyhow::Context;
use clap::{Args, Subcommand};
use learn::Model;
use learn::table::Table;

use crate::say::say;

/// Where an installation keeps its data.
pub const DATA: &str = "/var/lib/gridwarden";

/// What `models` takes.
#[derive(Args, Clone)]
pub struct Models {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Clone)]
pub enum Command {
    /// Writes a model as ONNX, with all that it does to a row in the graph.
    Export {
        /// A model file, or NAME[@VERSION] of the registry.
        model: String,
        /// The file to write.
        #[arg(long)]
        onnx: PathBuf,
        /// Data folder.
        #[arg(long, default_value = DATA)]
        data: PathBuf,
    },
    /// Checks and registers a model of another program: ONNX, XGBoost's JSON, LightGBM's text.
    Import {
        /// The model.
        file: PathBuf,
        /// What goes in and comes out (JSON: features, classes, normal, threshold, samples).
        #[arg(long)]
        schema: PathBuf,
        /// Its name here; without it that of the file.
        #[arg(long)]
        name: Option<String>,
        /// Who imports it.
        #[arg(long)]
        by: Option<String>,
        /// Data folder.
        #[arg(long, default_value = DATA)]
        data: PathBuf,
    },
    /// Lists models, versions and which are active.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// Data folder.
        #[arg(long, default_value = DATA)]
        data: PathBuf,
    },
    /// Puts two versions side by side on a labelled table.
    Compare {
        /// NAME[@VERSION], twice; without a version the active one.
        #[arg(num_args = 2)]
        models: Vec<String>,
        /// Features with labels (Parquet or CSV).
        #[arg(long)]
        library: PathBuf,
        /// Data folder.
        #[arg(long, default_value = DATA)]
        data: PathBuf,
    },
    /// Makes a model the active one of its name: a model file (then it is registered first), or NAME@VERSION.
    Promote(Promote),
    /// Goes back to the version that was active before.
    Rollback {
        /// Name.
        name: String,
        /// Why.
        #[arg(long, default_value = "")]
        reason: String,
        /// Who decides.
        #[arg(long)]
        by: Option<String>,
        /// Data folder.
        #[arg(long, default_value = DATA)]
        data: PathBuf,
    },
}

/// What `models promote` takes.
#[derive(Args, Clone)]
pub struct Promote {
    /// A model file, or NAME@VERSION.
    pub model: String,
    /// Name for a model file; without it that of the file.
    #[arg(long)]
    pub name: Option<String>,
    /// Features of clean days: the threshold becomes the lowest at which they raise no more alarm episodes a day than `--budget`.
    #[arg(long)]
    pub clean: Option<PathBuf>,
    /// Alarm episodes a clean day may raise.
    #[arg(long, default_value_t = 3.0)]
    pub budget: f64,
    /// Labelled features of stored attacks: a model that finds a family of them worse than the active one is refused.
    #[arg(long)]
    pub library: Option<PathBuf>,
    /// What `validate` wrote, kept with the model.
    #[arg(long)]
    pub validation: Option<PathBuf>,
    /// Promotes although a gate refuses; the reason goes into the record.
    #[arg(long, value_name = "REASON")]
    pub force: Option<String>,
    /// Why.
    #[arg(long, default_value = "")]
    pub reason: String,
    /// Who decides.
    #[arg(long)]
    pub by: Option<String>,
    /// Data folder.
    #[arg(long, default_value = DATA)]
    pub data: PathBuf,
}

/// Runs it.
pub fn run(args: &Models) -> anyhow::Result<u8> {
    match &args.command {
        Command::Export { model, onnx, data } => export(model, onnx, data),
        Command::Import { file, schema, name, by, data } => import(file, schema, name.as_deref(), by.as_deref(), data),
        Command::List { json, data } => list(*json, data),
        Command::Compare { models, library, data } => compare(models, library, data),
        Command::Promote(p) => promote(p),
        Command::Rollback { name, reason, by, data } => {
            let state = Registry::new(data).rollback(name, (&now(), &who(by.as_deref()), reason))?;
            say!("{name}: version {} is active again", state.active.unwrap_or(0));
            Ok(0)
        }
    }
}

/// The moment, for records of who changed what when: the control plane's clock.
#[allow(clippy::disallowed_methods)]
fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    gwcore::Ts(since.as_nanos().min(i64::MAX as u128) as i64).to_string()
}

fn who(by: Option<&str>) -> String {
    let user = || ["SUDO_USER", "USER"].iter().find_map(|v| std::env::var(v).ok()).filter(|u| !u.is_empty());
    by.map(str::to_owned).or_else(user).unwrap_or_else(|| "unknown".to_owned())
}

/// NAME[@VERSION] of the registry; without a version the active one.
pub fn registered(data: &Path, text: &str) -> anyhow::Result<Loaded> {
    let registry = Registry::new(data);
    let (name, version) = match text.split_once('@') {
        Some((n, v)) => (n, Some(v.parse().with_context(|| format!("`{v}` is no version"))?)),
        None => (text, None),
    };
    match version {
        Some(v) => Ok(registry.load(name, v)?),
        None => registry.active(name)?.with_context(|| {
            format!(
                "no version of `{name}` is active: `gridwarden models promote` makes one, or name it as {name}@VERSION"
            )
        }),
    }
}

fn export(model: &str, onnx: &Path, data: &Path) -> anyhow::Result<u8> {
    let path = Path::new(model);
    let bytes = if path.exists() {
        std::fs::read(path).with_context(|| format!("cannot read `{model}`"))?
    } else {
        let loaded = registered(data, model)?;
        anyhow::ensure!(
            loaded.manifest.form == Form::Gridwarden,
            "`{model}` came from another program: its own file is the exchange"
        );
        loaded.model
    };
    let model_ = Model::from_bytes(&bytes).with_context(|| format!("`{model}`"))?;
    let file = to_onnx(&model_).with_context(|| format!("`{model}`"))?;
    std::fs::write(onnx, &file).with_context(|| format!("cannot write `{}`", onnx.display()))?;
    say!(
        "{}: {} bytes, ONNX IR 8, opset 17, ai.onnx.ml 3, {} features",
        onnx.display(),
        file.len(),
        model_.encoder.width()
    );
    Ok(0)
}

/// The form of a foreign model by its first bytes.
fn form(bytes: &[u8]) -> Form {
    let start = bytes.trim_ascii_start();
    if bytes.starts_with(learn::model::MAGIC) {
        Form::Gridwarden
    } else if start.starts_with(b"{") {
        Form::Xgboost
    } else if start.starts_with(b"tree") {
        Form::Lightgbm
    } else {
        Form::Onnx
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn import(file: &Path, schema: &Path, name: Option<&str>, by: Option<&str>, data: &Path) -> anyhow::Result<u8> {
    let size = std::fs::metadata(file).with_context(|| format!("cannot read `{}`", file.display()))?.len();
    let most = ::models::onnx::proto::MAX_FILE as u64;
    anyhow::ensure!(size <= most, "`{}` has {size} bytes; {most} are read at most", file.display());
    let bytes = std::fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let text = std::fs::read(schema).with_context(|| format!("cannot read `{}`", schema.display()))?;
    let mut schema_: Schema = serde_json::from_slice(&text).with_context(|| format!("`{}`", schema.display()))?;
    let form = form(&bytes);
    anyhow::ensure!(
        form != Form::Gridwarden,
        "`{}` is a model of ours: `gridwarden models promote` takes it",
        file.display()
    );
    schema_.features =
        crate::model_worker::check(form, &bytes, &schema_).with_context(|| format!("`{}`", file.display()))?;
    // What was right there is right here; its names are needed for the family.
    let scorer = Scorer::open(form, &bytes, &schema_).with_context(|| format!("`{}`", file.display()))?;
    if schema_.family.is_empty()
        && let Some((which, _)) = family(&scorer)
    {
        (schema_.family, schema_.version) = (which.name().to_owned(), which.family().version);
    }
    let samples = schema_.samples.len();
    let name = name.map_or_else(|| stem(file), str::to_owned);
    let about = format!("{form:?} model `{}`, imported", file.display());
    let card = card(&name, &about, &scorer.features, &schema_, &serde_json::Value::Null);
    let registry = Registry::new(data);
    let (now, by) = (now(), who(by));
    let new = New {
        name: &name,
        form,
        model: &bytes,
        about,
        schema: schema_,
        training_data: serde_json::Value::Null,
        validation: None,
        card,
        now: &now,
        by: &by,
    };
    let m = registry.register(&new)?;
    say!(
        "{name}@{}: {form:?}, {} features, {samples} golden samples right; not active yet",
        m.version,
        scorer.features.len()
    );
    Ok(0)
}

/// The family that has all features of a model.
pub fn family(scorer: &Scorer) -> Option<(Which, u32)> {
    let found = Which::ALL.iter().map(|(w, _)| *w).find(|w| scorer.bind(&w.family()).is_ok());
    found.map(|w| (w, w.family().version))
}

fn list(json: bool, data: &Path) -> anyhow::Result<u8> {
    let registry = Registry::new(data);
    let mut all = Vec::new();
    for name in registry.names()? {
        let active = registry.state(&name)?.active;
        for version in registry.versions(&name)? {
            let (manifest, problem) = match registry.load(&name, version) {
                Ok(l) => (Some(l.manifest), None),
                Err(e) => (None, Some(e.to_string())),
            };
            if json {
                all.push(serde_json::json!({ "name": name, "version": version, "active": active == Some(version), "manifest": manifest, "problem": problem }));
                continue;
            }
            let mark = if active == Some(version) { "active" } else { "" };
            match (&manifest, &problem) {
                (Some(m), _) => say!("{name}@{version}\t{mark}\t{}\t{}\t{}", m.schema.family, m.created, m.about),
                (_, Some(p)) => say!("{name}@{version}\t{mark}\tdoes not load: {p}"),
                _ => {}
            }
        }
    }
    if json {
        say!("{}", serde_json::to_string_pretty(&all)?);
    }
    Ok(0)
}

fn table(path: &Path) -> anyhow::Result<Table> {
    Table::load(&[path.to_path_buf()], None).with_context(|| format!("`{}`", path.display()))
}

/// Whether a model finds each row of a table.
fn finds(scorer: &Scorer, table: &Table) -> anyhow::Result<Vec<bool>> {
    let t = scorer.threshold.context("a model has no threshold: promote it with --clean")?;
    Ok(scorer.scores(&scorer.table(table)?)?.into_iter().map(|s| s > t).collect())
}

/// Families of a library as two models find them; normal rows stand under `normal`.
fn judged(library: &Path, a: &Scorer, b: &Scorer) -> anyhow::Result<BTreeMap<String, gates::Family>> {
    let table = table(library)?;
    let at = table.find("label").with_context(|| format!("`{}` has no column `label`", library.display()))?;
    let (fa, fb) = (finds(a, &table)?, finds(b, &table)?);
    let labels: Vec<String> = (0..table.rows).map(|r| table.columns[at].text(r).unwrap_or_default()).collect();
    Ok(gates::families(labels.iter().zip(fa.iter().zip(&fb)).map(|(l, (a, b))| (l.as_str(), *a, *b))))
}

fn compare(models: &[String], library: &Path, data: &Path) -> anyhow::Result<u8> {
    let [a, b] = models else { anyhow::bail!("two models are compared") };
    let (la, lb) = (registered(data, a)?, registered(data, b)?);
    let (sa, sb) = (Scorer::of(&la)?, Scorer::of(&lb)?);
    say!(
        "family\trows\t{}@{}\t{}@{}\tworse",
        la.manifest.name,
        la.manifest.version,
        lb.manifest.name,
        lb.manifest.version
    );
    for (label, f) in judged(library, &sa, &sb)? {
        let worse = if label == ::features::NORMAL { None } else { f.worse() };
        say!("{label}\t{}\t{}\t{}\t{}", f.rows, f.found[0], f.found[1], worse.unwrap_or_default());
    }
    Ok(0)
}

fn promote(p: &Promote) -> anyhow::Result<u8> {
    let registry = Registry::new(&p.data);
    let (now, by) = (now(), who(p.by.as_deref()));
    let path = Path::new(&p.model);
    let (name, version) = if path.is_file() {
        let name = p.name.clone().unwrap_or_else(|| stem(path));
        (name.clone(), register(p, &registry, path, &name, (&now, &by))?.version)
    } else {
        let (name, version) =
            p.model.split_once('@').with_context(|| format!("`{}` is no file and no NAME@VERSION", p.model))?;
        (name.to_owned(), version.parse().with_context(|| format!("`{version}` is no version"))?)
    };
    let new = registry.load(&name, version)?;
    let scorer = Scorer::of(&new)?;
    anyhow::ensure!(
        scorer.threshold.is_some(),
        "`{name}@{version}` has no threshold: promote its file with --clean FEATURES"
    );
    if let (Some(library), Some(active)) = (&p.library, registry.active(&name)?) {
        let families = judged(library, &Scorer::of(&active)?, &scorer)?;
        let worse: Vec<String> = families
            .iter()
            .filter(|(l, _)| *l != ::features::NORMAL)
            .filter_map(|(l, f)| Some(format!("{l}: {}", f.worse()?)))
            .collect();
        if !worse.is_empty() && p.force.is_none() {
            anyhow::bail!(
                "`{name}@{version}` is refused and `{name}@{}` stays active. {}",
                active.manifest.version,
                worse.join("; ")
            );
        }
    }
    let reason = p.force.clone().unwrap_or_else(|| p.reason.clone());
    registry.promote(&name, version, (&now, &by, &reason))?;
    let m = &new.manifest;
    say!(
        "{name}@{version} is active: family {}, threshold {:.4}. {}",
        m.schema.family,
        scorer.threshold.unwrap_or(0.0),
        m.schema.threshold_by
    );
    Ok(0)
}

/// Registers a model file, with a threshold from clean days where they are given.
fn register(
    p: &Promote,
    registry: &Registry,
    path: &Path,
    name: &str,
    (now, by): (&str, &str),
) -> anyhow::Result<Manifest> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    anyhow::ensure!(
        form(&bytes) == Form::Gridwarden,
        "`{}` is no model of ours: `gridwarden models import` takes others'",
        path.display()
    );
    let model = Model::from_bytes(&bytes).with_context(|| format!("`{}`", path.display()))?;
    let mut schema = Schema {
        features: model.encoder.features.iter().map(|f| f.name.clone()).collect(),
        classes: model.classes.clone(),
        normal: model.normal.map(|n| model.class_name(n).to_owned()),
        ..Schema::default()
    };
    let scorer = Scorer::open(Form::Gridwarden, &bytes, &schema).with_context(|| format!("`{}`", path.display()))?;
    let Some((which, version)) = family(&scorer) else {
        anyhow::bail!(
            "`{}` was not trained on features of `gridwarden features`: it can score tables, but not traffic",
            path.display()
        );
    };
    (schema.family, schema.version) = (which.name().to_owned(), version);
    schema.threshold = scorer.threshold;
    schema.threshold_by = "The threshold is that of training.".to_owned();
    schema.usual = scorer.usual();
    if let Some(clean) = &p.clean {
        (schema.threshold, schema.threshold_by, schema.usual) = threshold(clean, &scorer, p.budget)?;
    }
    let validation = p
        .validation
        .as_ref()
        .map(|v| std::fs::read(v).with_context(|| format!("cannot read `{}`", v.display())))
        .transpose()?;
    let about = format!("{} ({}), trained here", model.setup.algorithm.name(), model.setup.task.name());
    let data = serde_json::json!({ "hash": model.card.data, "rows": model.card.rows });
    let card = card(name, &about, &schema.features, &schema, &data);
    let new = New {
        name,
        form: Form::Gridwarden,
        model: &bytes,
        about,
        schema,
        training_data: data,
        validation: validation.as_deref(),
        card,
        now,
        by,
    };
    Ok(registry.register(&new)?)
}

/// The threshold that clean days allow, how it was found, and what is usual on them. Rows labelled as attacks are no clean days and are left out.
fn threshold(clean: &Path, scorer: &Scorer, per_day: f64) -> anyhow::Result<(Option<f64>, String, Vec<Usual>)> {
    let table = table(clean)?;
    let column = |name: &str| table.find(name).and_then(|at| table.columns.get(at));
    let ts = column("ts").with_context(|| {
        format!("`{}` has no column `ts`: it is no table of `gridwarden features`", clean.display())
    })?;
    let who: Vec<usize> = ["src", "dst"].iter().filter_map(|n| table.find(n)).collect();
    let label = column("label");
    let is_clean = |r: usize| label.is_none_or(|l| l.text(r).is_none_or(|t| t == ::features::NORMAL));
    let cells = scorer.table(&table)?;
    let scores = scorer.scores(&cells)?;
    let width = scorer.features.len().max(1);
    let rows: Vec<usize> = (0..table.rows).filter(|r| is_clean(*r)).collect();
    let judged = rows
        .iter()
        .map(|r| budget::Clean { at: ts.number(*r), who: table.row_hash(*r, &who), score: scores[*r] })
        .collect();
    let b = budget::budget(judged, per_day).with_context(|| format!("`{}` has no clean rows", clean.display()))?;
    let cells: Vec<f32> = rows.iter().flat_map(|r| cells[r * width..(r + 1) * width].iter().copied()).collect();
    let text = format!(
        "The threshold is the lowest at which {} clean rows of {:.2} days raise {} alarm episodes (budget {per_day} a day; less than a day counts as one).",
        rows.len(),
        b.days,
        b.episodes
    );
    Ok((Some(b.threshold), text, budget::usual(&scorer.features, &cells)))
}

fn card(name: &str, about: &str, features: &[String], schema: &Schema, data: &serde_json::Value) -> String {
    let normal = schema.normal.as_deref().unwrap_or("-");
    format!(
        "# {name}\n\n{about}.\n\n- Features: {} of family `{}` version {}: {}\n- Classes: {} (normal: {normal})\n- {}\n- Training data: {data}\n\n\
         It says that a row is unlike what it was taught to be normal, not that anybody meant harm. It knows only the site and the days it was made from.\n",
        features.len(),
        schema.family,
        schema.version,
        features.join(", "),
        schema.classes.join(", "),
        schema.threshold_by
    )
}

/// The models that `analyze --model` names, at work.
pub fn live(args: &crate::cli::Analyze, limits: &gwcore::Limits) -> anyhow::Result<Vec<Live>> {
    args.model.iter().map(|m| one(m, &args.data, limits).with_context(|| format!("--model {m}"))).collect()
}

fn one(model: &str, data: &Path, limits: &gwcore::Limits) -> anyhow::Result<Live> {
    let path = Path::new(model);
    if !path.is_file() {
        return at_work(&registered(data, model)?, limits);
    }
    let bytes = std::fs::read(path).context("cannot read it")?;
    let scorer = Scorer::open(form(&bytes), &bytes, &Schema::default())?;
    let (which, version) = family(&scorer).context("it was not trained on features of `gridwarden features`")?;
    let features = format!("{} {version}", which.name());
    let about = ModelRef { name: stem(path), version: 0, hash: ::models::registry::sha256(&bytes), features };
    let usual = scorer.usual();
    Ok(Live::new(scorer, which, about, usual, limits)?)
}

/// A checked version at work; its features must be of the version that this program makes.
pub fn at_work(loaded: &Loaded, limits: &gwcore::Limits) -> anyhow::Result<Live> {
    let m = &loaded.manifest;
    let which: Which = m.schema.family.parse().map_err(anyhow::Error::msg)?;
    let version = which.family().version;
    anyhow::ensure!(
        m.schema.version == version,
        "`{}@{}` was made for version {} of the features `{}`, this program makes version {version}: train it anew",
        m.name,
        m.version,
        m.schema.version,
        m.schema.family
    );
    let features = format!("{} {version}", which.name());
    let about = ModelRef { name: m.name.clone(), version: m.version, hash: loaded.hash.clone(), features };
    Ok(Live::new(Scorer::of(loaded)?, which, about, m.schema.usual.clone(), limits)?)
}

/// The active models of a data folder, at work; what does not load is told and left out.
pub fn all_active(data: &Path, limits: &gwcore::Limits, tell: &mut dyn FnMut(String)) -> Vec<Live> {
    let registry = Registry::new(data);
    let mut all = Vec::new();
    for name in registry.names().unwrap_or_default() {
        match registry.active(&name) {
            Ok(Some(loaded)) => match at_work(&loaded, limits) {
                Ok(live) => all.push(live),
                Err(e) => tell(format!("the model `{name}` is not at work: {e:#}")),
            },
            Ok(None) => {}
            Err(e) => tell(format!("the model `{name}` is not at work: {e}")),
        }
    }
    all
}
