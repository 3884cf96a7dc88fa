//! `ringfence completions` and `ringfence man`: made from the command line's own declaration.

use std::io::{self, Write};

use clap::{Args as ClapArgs, Command};
use clap_complete::Shell;

use super::{Exit, Failure, written};

/// Print shell completions
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: ringfence completions bash > /etc/bash_completion.d/ringfence")]
pub struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Print the manual page, or that of a subcommand
#[derive(Debug, ClapArgs)]
#[command(after_help = "Example: ringfence man | man -l -")]
pub struct ManArgs {
    /// A subcommand
    command: Option<String>,
}

/// Runs `completions`.
///
/// # Errors
/// [`Failure`] when it cannot be written.
pub fn completions(args: &CompletionsArgs, mut command: Command) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, "ringfence", &mut text);
    written(io::stdout().lock().write_all(&text))?;
    Ok(Exit::Fine)
}

/// Runs `man`.
///
/// # Errors
/// [`Failure`] when there is no such subcommand or the page cannot be written.
pub fn man(args: &ManArgs, mut command: Command) -> Result<Exit, Failure> {
    // Gives subcommands the names of their pages: ringfence-scan(1).
    command.build();
    let page = match &args.command {
        None => command,
        Some(name) => match command.get_subcommands().find(|c| c.get_name() == name) {
            Some(sub) => sub.clone(),
            None => {
                return Err(Failure::new(
                    Exit::Usage,
                    format!("there is no subcommand `{name}`"),
                    Some("see ringfence --help".to_string()),
                ));
            }
        },
    };
    let mut text = Vec::new();
    let rendered = clap_mangen::Man::new(page).render(&mut text);
    written(rendered.and_then(|()| io::stdout().lock().write_all(&text)))?;
    Ok(Exit::Fine)
}
