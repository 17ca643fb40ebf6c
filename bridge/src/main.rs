//! The `trunkline` command: the gateway itself, and the two ends to try it with.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
