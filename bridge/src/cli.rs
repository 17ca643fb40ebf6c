//! The command line. What a person or a script reads is written here and nowhere else.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is what talks to the terminal")]

mod call;
mod check;
mod join;
mod output;
mod serve;
mod tls;
mod wav;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

#[derive(Parser)]
#[command(name = "trunkline", version, about = "Callers of SIP trunks stand in LiveKit rooms", max_term_width = 120)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway.
    Serve(ConfigArgs),
    /// Read the configuration, say what is wrong with it, or print what it comes to.
    Check(check::Args),
    /// Place a call with the built-in test phone, measure it, and say how it went.
    Call(Box<call::Args>),
    /// Join a room as a participant that echoes, plays or records.
    Join(Box<join::Args>),
    /// Print the completions of this command for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

#[derive(clap::Args)]
struct ConfigArgs {
    /// The configuration file (YAML).
    #[arg(long, short, env = "SIP_CONFIG_FILE", value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    config: Option<PathBuf>,
    /// The configuration itself, in place of a file.
    #[arg(long, env = "SIP_CONFIG_BODY", value_name = "YAML", hide_env_values = true, conflicts_with = "config")]
    config_body: Option<String>,
}

/// Reads the command line and does what it says.
pub(crate) fn run() -> ExitCode {
    let result = match Args::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Call(args) => call::run(&args),
        Command::Join(args) => join::run(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Args::command(), "trunkline", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("trunkline: {error}");
        ExitCode::FAILURE
    })
}

/// Whatever stopped a command, in words for its user.
type Failure = Box<dyn std::error::Error + Send + Sync>;
