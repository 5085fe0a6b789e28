//! The program's table of contents.

mod analyze;
mod approval;
mod audit;
mod backup;
mod case;
mod check;
mod clean;
mod cli;
mod config;
mod connect;
mod console;
mod ctl;
mod decide;
mod demo;
mod desk;
mod detectors;
mod doctor;
mod duty;
mod evidence;
mod explain;
mod export;
mod extcap;
mod facts;
mod features;
mod hunt;
mod ingest;
mod intel;
mod knowledge;
mod known_bad;
mod learn;
mod model_worker;
mod models;
mod office;
mod origin;
mod pcap;
mod platform;
mod playbook;
mod post;
mod progress;
mod prove;
mod queues;
mod reference;
mod reports;
mod rules;
mod run;
mod runs;
mod say;
mod score;
mod sensor;
mod simulate;
mod staged;
mod tables;
mod train;
mod update;
mod upkeep;
mod validate;
mod write;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(e) => {
            // A closed pipe while printing help is no error.
            let _ = e.print();
            return ExitCode::from(if e.use_stderr() { 2 } else { 0 });
        }
    };
    let result = match cli.command {
        cli::Command::Analyze(args) => analyze::run(&args),
        cli::Command::Learn(args) => learn::run(&args),
        cli::Command::Simulate(args) => simulate::run(&args),
        cli::Command::Models(args) => models::run(&args),
        cli::Command::ModelWorker => model_worker::serve(),
        cli::Command::Features(args) => features::run(&args),
        cli::Command::Prove(args) => prove::run(&args),
        cli::Command::Pcap(args) => pcap::run(&args),
        cli::Command::Extcap(args) => extcap::run(&args),
        cli::Command::Run(args) => run::run(&args),
        cli::Command::Sensor(args) => sensor::run(&args),
        cli::Command::Demo { once } => demo::run(once),
        cli::Command::Backup(args) => backup::backup(&args),
        cli::Command::Restore(args) => backup::restore(&args),
        cli::Command::Console(args) => console::run(&args),
        cli::Command::Ctl(args) => ctl::run(&args),
        cli::Command::Doctor(args) => doctor::run(&args),
        cli::Command::Check(args) => check::run(&args),
        cli::Command::Hunt(args) => hunt::run(&args),
        cli::Command::Audit(args) => audit::run(&args),
        cli::Command::Case(args) => case::run(&args),
        cli::Command::Connect(args) => connect::run(&args),
        cli::Command::Baseline(args) => approval::run(&args),
        cli::Command::Playbook(args) => playbook::run(&args),
        cli::Command::Report(args) => reports::run(&args),
        cli::Command::Export(args) => export::run(&args),
        cli::Command::Train(args) => train::run(&args),
        cli::Command::Clean(args) => clean::run(&args),
        cli::Command::Select(args) => clean::select(&args),
        cli::Command::Explain(args) => explain::run(&args),
        cli::Command::Score(args) => score::run(&args),
        cli::Command::Validate(args) => validate::run(&args),
        cli::Command::Ingest(args) => ingest::run(&args),
        cli::Command::Intel(args) => intel::run(&args),
        cli::Command::Rules(args) => rules::run(&args),
        cli::Command::Update(args) => update::run(&args),
        cli::Command::Reference(args) => reference::run(&args),
        cli::Command::Detectors { json } => detectors::run(json),
    };
    match result {
        Ok(code) => ExitCode::from(if say::is_lost() { 2 } else { code }),
        Err(e) => {
            say::complaint(format_args!("{e:#}"));
            ExitCode::from(2)
        }
    }
}
