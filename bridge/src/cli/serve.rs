//! `trunkline serve`.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use bridge::app::App;
use bridge::config::{self, Logging};
use tracing_subscriber::EnvFilter;

use super::{ConfigArgs, Failure};

pub(super) fn run(args: &ConfigArgs) -> Result<ExitCode, Failure> {
    let loaded = args.load()?;
    log(&loaded.config.logging)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build()?;
    let (source, environment) = (args.source(), std::env::vars().collect());
    runtime.block_on(async { App::start(loaded).await?.reloading(&source, environment).run().await })?;
    Ok(ExitCode::SUCCESS)
}

impl ConfigArgs {
    pub(super) fn load(&self) -> Result<config::Loaded, Failure> {
        Ok(self.source().read(&std::env::vars().collect())?)
    }

    fn source(&self) -> config::Source {
        config::Source { file: self.config.clone(), body: self.config_body.clone() }
    }
}

/// `RUST_LOG` is stronger than the file.
fn log(logging: &Logging) -> Result<(), Failure> {
    let filter = EnvFilter::try_from_default_env().or_else(|_| EnvFilter::try_new(directives(&logging.level)))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if logging.json {
        builder.json().flatten_event(true).init();
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).init();
    }
    Ok(())
}

/// Our level for us; the libraries below speak up only when something is wrong.
fn directives(level: &str) -> String {
    format!("warn,rtc=error,bridge={level},sip={level},media={level}")
}
