//! `gridwarden reference`: man pages and shell completions, made from the command line itself.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, CommandFactory, Subcommand, ValueEnum};

use crate::cli::Cli;

/// Write man pages or shell completions.
#[derive(Args, Clone)]
pub struct Reference {
    #[command(subcommand)]
    pub what: What,
}

/// What is written.
#[derive(Subcommand, Clone)]
pub enum What {
    /// A man page for the program and each of its commands.
    Man {
        /// The folder; made where it is not there.
        #[arg(short = 'o', long, value_name = "DIR")]
        output: PathBuf,
    },
    /// Completions of a shell, to standard output.
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: Shell,
    },
}

/// Shells that complete.
#[derive(Clone, Copy, ValueEnum)]
pub enum Shell {
    /// GNU Bash.
    Bash,
    /// Zsh.
    Zsh,
    /// fish.
    Fish,
}

/// Writes them.
pub fn run(args: &Reference) -> anyhow::Result<u8> {
    let mut command = Cli::command();
    match &args.what {
        What::Man { output } => {
            std::fs::create_dir_all(output).with_context(|| format!("cannot make `{}`", output.display()))?;
            command.build();
            clap_mangen::generate_to(command, output)
                .with_context(|| format!("cannot write below `{}`", output.display()))?;
        }
        What::Completions { shell } => {
            let shell = match shell {
                Shell::Bash => clap_complete::Shell::Bash,
                Shell::Zsh => clap_complete::Shell::Zsh,
                Shell::Fish => clap_complete::Shell::Fish,
            };
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut command, "gridwarden", &mut text);
            crate::say::line(format_args!("{}", String::from_utf8_lossy(&text).trim_end()));
        }
    }
    Ok(0)
}
