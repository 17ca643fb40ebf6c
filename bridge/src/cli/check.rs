//! `trunkline check`.

use std::process::ExitCode;

use bridge::config::{self, NoteLevel};

use super::{ConfigArgs, Failure};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// Say only what is wrong.
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let loaded = args.config.load()?;
    for note in &loaded.notes {
        let level = match note.level {
            NoteLevel::Info => "note",
            NoteLevel::Warning => "warning",
        };
        eprintln!("{level}: {}", note.text);
    }
    if !args.quiet {
        print!("{}", config::render(&loaded));
    }
    Ok(ExitCode::SUCCESS)
}
