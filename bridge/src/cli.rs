//! The command line. What a person or a script reads is written here and nowhere else.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is what talks to the terminal")]

mod call;
mod calls;
mod check;
mod explain;
mod gateway;
mod join;
mod json;
mod noun;
mod objects;
mod origin;
mod output;
mod participant;
mod rule;
mod serve;
mod table;
mod tls;
mod trunk;

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
    /// Trunks: list, show, create, update, delete.
    Trunk(Box<trunk::Args>),
    /// Dispatch rules: list, show, create, update, delete.
    Rule(Box<rule::Args>),
    /// Calls: list, show, hang up, and look back on.
    Calls(Box<calls::Args>),
    /// Phones in rooms: call one, transfer it, move it.
    Participant(Box<participant::Args>),
    /// Say which trunk and which rule would take a call, and why the others would not.
    Explain(Box<explain::Args>),
    /// Print all trunks and rules.
    Export(Box<objects::ExportArgs>),
    /// Take over trunks and rules from a file or from another LiveKit; ids are kept.
    Import(Box<objects::ImportArgs>),
    /// Say how a file and the gateway differ: 0 when they do not, 1 when they do.
    Diff(Box<objects::DiffArgs>),
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
    perform(Args::parse().command).unwrap_or_else(|error| {
        eprintln!("trunkline: {error}");
        if error.is::<Trouble>() { ExitCode::from(2) } else { ExitCode::FAILURE }
    })
}

fn perform(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Call(args) => call::run(&args),
        Command::Join(args) => join::run(&args),
        Command::Trunk(args) => trunk::run(&args),
        Command::Rule(args) => rule::run(&args),
        Command::Calls(args) => calls::run(&args),
        Command::Participant(args) => participant::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Export(args) => objects::export(&args),
        Command::Import(args) => objects::import(&args),
        Command::Diff(args) => objects::diff(&args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Args::command(), "trunkline", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Whatever stopped a command, in words for its user.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// It did not come to asking anybody: the command says too little, a file cannot be read, no gateway answers. The exit
/// code is 2, as for arguments that are none; 1 is for an answer that says no.
#[derive(Debug)]
struct Trouble(String);

impl std::error::Error for Trouble {}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_shell_completes_every_command() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "trunkline", &mut script);
            let script = String::from_utf8(script).unwrap();
            for word in ["trunk", "rule", "calls", "participant", "explain", "export", "import", "diff", "hangup"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
