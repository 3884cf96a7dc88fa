//! `ringfence`: the command.

use std::process::ExitCode;

use clap::Parser;
use ringfence::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprintln!("{failure}");
            failure.exit.into()
        }
    }
}
