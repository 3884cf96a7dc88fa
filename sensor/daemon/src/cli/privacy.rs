//! `ringfence privacy`: what a data protection officer asks of the sensor.

mod dossier;
mod erase;
mod rotate;

use clap::{Args as ClapArgs, Subcommand};

use super::{Exit, Failure, Terminal};

/// Rotate the key of pseudonyms, have a device forgotten, write down what is done with personal data
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    RotateKey(rotate::Args),
    Erase(erase::Args),
    Dossier(dossier::Args),
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] with the exit code.
pub fn run(args: &Args, terminal: &Terminal) -> Result<Exit, Failure> {
    match &args.command {
        Command::RotateKey(args) => rotate::run(args),
        Command::Erase(args) => erase::run(args),
        Command::Dossier(args) => dossier::run(args, terminal),
    }
}
