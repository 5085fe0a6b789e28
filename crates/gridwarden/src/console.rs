//! The web console: alone over kept data (`gridwarden console`), or beside a running platform.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::Value;

use crate::audit::DATA;
use crate::say::{complaint, say};

/// Where the console listens without `--listen`.
pub const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8470);

/// Serves the console without a sensor: kept findings, searches, imports.
#[derive(Args, Clone)]
pub struct Console {
    /// Folders that `analyze` wrote: their findings and devices are taken in, their records can be searched.
    pub paths: Vec<PathBuf>,
    /// Data folder.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    pub data: PathBuf,
    /// Where to listen; loopback only.
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = LISTEN)]
    pub listen: SocketAddr,
    /// What is normal here, for imported captures.
    #[arg(long)]
    pub baseline: Option<PathBuf>,
    /// Configuration with `[respond]` and `[[destination]]` tables.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Serves until it is ended.
pub fn run(args: &Console) -> anyhow::Result<u8> {
    for path in &args.paths {
        ensure!(path.join("alerts.ndjson").is_file(), "`{}` is no folder that `analyze` wrote", path.display());
    }
    std::fs::create_dir_all(&args.data).with_context(|| format!("cannot make the folder `{}`", args.data.display()))?;
    let db = state::Db::open(&args.data.join("state.sqlite"))?;
    for path in &args.paths {
        console::import_folder(&db, path, &source_of(path))?;
    }
    drop(db);
    let behind = crate::office::Behind::open(&args.data, args.config.as_deref())?;
    let (_to, messages) = channel();
    let config = console::Config {
        data: args.data.clone(),
        places: args.paths.clone(),
        baseline: args.baseline.clone(),
        office: Some(Arc::new(behind)),
        ..console::Config::default()
    };
    serve(args.listen, config, messages, Arc::new(AtomicBool::new(false)))?;
    Ok(0)
}

/// The console beside a running platform: where its messages go, and the thread that serves until `stop`.
pub fn beside(
    run: &crate::run::Run,
    listen: SocketAddr,
    stop: &Arc<AtomicBool>,
) -> anyhow::Result<(SyncSender<Value>, JoinHandle<anyhow::Result<()>>)> {
    let listener = bind(listen)?;
    let (to, messages) = sync_channel(crate::run::WAITING);
    let behind = crate::office::Behind::open(&run.watch.data, run.config.as_deref())?;
    let config = console::Config {
        data: run.watch.data.clone(),
        baseline: run.watch.baseline.clone(),
        is_live: true,
        office: Some(Arc::new(behind)),
        ..console::Config::default()
    };
    let (stop, quiet) = (Arc::clone(stop), run.quiet);
    let thread = std::thread::Builder::new().name("console".into());
    let thread = thread.spawn(move || {
        let served = serve_on(listener, config, messages, stop, quiet);
        if let Err(e) = &served {
            complaint(format_args!("the console ended: {e:#}"));
        }
        served
    })?;
    Ok((to, thread))
}

fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen)
        .with_context(|| format!("the console cannot listen on {listen}: name another address with --listen"))
}

/// Serves on `listen` until `stop`; says the address, and the first time the one-time token.
pub fn serve(
    listen: SocketAddr,
    config: console::Config,
    messages: Receiver<Value>,
    stop: Arc<AtomicBool>,
) -> anyhow::Result<()> {
    serve_on(bind(listen)?, config, messages, stop, false)
}

fn serve_on(
    listener: TcpListener,
    config: console::Config,
    messages: Receiver<Value>,
    stop: Arc<AtomicBool>,
    quiet: bool,
) -> anyhow::Result<()> {
    // Captures that somebody imports are analysed by this program in a process of its own.
    let config = console::Config { program: std::env::current_exe().ok(), ..config };
    console::serve(listener, config, messages, stop, |started| {
        if quiet && started.setup_token.is_none() {
            return;
        }
        say!("console: http://{}/", started.address);
        if let Some(token) = &started.setup_token {
            say!("one-time token for its first administrator: {token}");
        }
    })?;
    Ok(())
}

/// Under which name findings of a folder are marked: its own, without the ending that `analyze` gave it.
fn source_of(path: &Path) -> String {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    name.strip_suffix(".gridwarden").unwrap_or(&name).to_owned()
}
