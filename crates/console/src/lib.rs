//! The centre's HTTP API (`/api/v1`) and web console: findings as they come, what people decide about them, devices, searches and the
//! state of the feeds.
//!
//! [`serve`] takes the sensor's messages, keeps them in the state database and tells browsers of them. It listens on loopback only. Routes
//! stand in one table (`routes.rs`), from which the router, the roles, the audit log and the OpenAPI document derive.

mod api;
mod app;
mod call;
mod http;
mod ingest;
mod metrics;
mod office;
mod openapi;
mod routes;
mod sse;
mod ui;
mod windows;

use std::future::IntoFuture;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

pub use api::cases::correlate;
pub use app::Import;
pub use ingest::import_folder;
pub use office::{Destination, Office, Person, Playbook, Refusal, Wish};

/// What the console needs to know.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Data folder: `state.sqlite`, `ledger/`, `lake/`, `imports/`.
    pub data: PathBuf,
    /// Further places that searches look at (folders that `analyze` wrote).
    pub places: Vec<PathBuf>,
    /// The gridwarden program, which analyses imported captures in a process of its own; without it nothing can be imported.
    pub program: Option<PathBuf>,
    /// What is normal here, for imports.
    pub baseline: Option<PathBuf>,
    /// Whether a sensor is at work beside: it judges by the same baseline.
    pub is_live: bool,
    /// Memory of one search in bytes; 0 takes 512 MB.
    pub search_memory: usize,
    /// Lists of known-bad values that are looked at besides those the sensor uses.
    pub intel: Vec<PathBuf>,
    /// The program behind playbooks, actions, destinations and evidence; without it they are shown, and nothing is done.
    pub office: Option<Arc<dyn Office>>,
}

/// What is known once the console answers.
#[derive(Clone, Debug)]
pub struct Started {
    /// Where it listens.
    pub address: SocketAddr,
    /// Makes the first administrator, once; none where there are users.
    pub setup_token: Option<String>,
}

/// Why the console could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The state database.
    #[error(transparent)]
    State(#[from] state::Error),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    /// The system.
    #[error("{doing}: {source}")]
    Io {
        /// What was tried.
        doing: String,
        /// Why not.
        source: std::io::Error,
    },
    /// There is no TLS yet.
    #[error("the console listens on loopback only (127.0.0.1 or ::1), not on {0}: reach it through an SSH tunnel")]
    NotLoopback(SocketAddr),
}

/// Serves until `stop` becomes true. `messages` are what the sensor tells, one JSON object each (`{"type":"finding",…}`); where the other end
/// goes away the console stays. `started` is called once it answers.
pub fn serve(
    listener: TcpListener,
    config: Config,
    messages: Receiver<serde_json::Value>,
    stop: Arc<AtomicBool>,
    started: impl FnOnce(&Started),
) -> Result<(), Error> {
    let io = |doing: &str| {
        let doing = doing.to_owned();
        move |source| Error::Io { doing, source }
    };
    let address = listener.local_addr().map_err(io("cannot use the console's listener"))?;
    if !address.ip().is_loopback() {
        return Err(Error::NotLoopback(address));
    }
    listener.set_nonblocking(true).map_err(io("cannot use the console's listener"))?;
    let app = app::App::open(config, address)?;
    let ingest = ingest::spawn(Arc::clone(&app), messages, Arc::clone(&stop)).map_err(io("cannot start a thread"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("console")
        .enable_all()
        .build()
        .map_err(io("cannot start the console's threads"))?;
    let result = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        started(&Started { address, setup_token: app.setup_token() });
        let wait = Arc::clone(&stop);
        let server =
            axum::serve(listener, http::router(Arc::clone(&app)).into_make_service_with_connect_info::<SocketAddr>());
        tokio::select! {
            result = server.into_future() => result,
            () = async {
                while !wait.load(Ordering::Relaxed) {
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            } => Ok(()),
        }
    });
    stop.store(true, Ordering::Relaxed);
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    // A panic there was printed by its thread; what was acknowledged is on the disk.
    let _ = ingest.join();
    app.record("centre.stopped", "system", &serde_json::json!({}))?;
    result.map_err(io("the console's listener failed"))
}
