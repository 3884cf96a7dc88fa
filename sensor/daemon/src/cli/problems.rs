//! Problems of configuration and rules, for people: the place, the line itself, what is wrong, what would be right.

use std::fmt::Write;

use owo_colors::Style;
use ringfence_core::diagnostic::{Diagnostics, Severity};

use super::safe::printable;
use super::{Exit, Failure, Terminal};

/// Takes two results; tells all problems of both when either was refused.
///
/// # Errors
/// [`Failure`] with exit code 78 when either was refused.
pub fn both<A, B>(first: Result<A, Diagnostics>, second: Result<B, Diagnostics>, terminal: &Terminal) -> Result<(A, B), Failure> {
    match (first, second) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (first, second) => {
            let mut all = first.err().unwrap_or_default();
            all.extend(second.err().unwrap_or_default());
            eprint!("{}", text(&all, terminal));
            Err(Failure::new(Exit::Config, summary(&all), Some("`ringfence check` tells the same without doing anything".to_string())))
        }
    }
}

/// Every problem, with an excerpt.
pub fn text(diagnostics: &Diagnostics, terminal: &Terminal) -> String {
    let mut text = String::new();
    for p in diagnostics.problems() {
        let (word, style) = match p.severity {
            Severity::Error => ("error", Style::new().red().bold()),
            Severity::Warning => ("warning", Style::new().yellow().bold()),
        };
        let key = if p.key.is_empty() { String::new() } else { format!("{}: ", p.key) };
        let _ = writeln!(text, "{}: {key}{}", terminal.paint(word, style), printable(p.message.as_bytes()));
        let place = if p.line > 0 { format!("{}:{}:{}", p.file, p.line, p.column) } else { p.file.clone() };
        let _ = writeln!(text, "  --> {}", printable(place.as_bytes()));
        if let Some(excerpt) = p.excerpt.as_ref().filter(|e| !e.trim().is_empty()) {
            let shown: String = excerpt.chars().take(100).collect();
            let _ = writeln!(text, "{:>5} | {}", p.line, printable(shown.replace('\t', " ").as_bytes()));
            if p.column > 0 && p.column <= 100 {
                let _ = writeln!(text, "      | {}{}", " ".repeat(p.column - 1), terminal.paint("^", style));
            }
        }
        if let Some(help) = &p.help {
            let _ = writeln!(text, "      = help: {}", printable(help.as_bytes()));
        }
        text.push('\n');
    }
    text
}

/// `3 errors, 1 warning`.
pub fn summary(diagnostics: &Diagnostics) -> String {
    let of = |severity| diagnostics.problems().iter().filter(|p| p.severity == severity).count();
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    format!("{}, {}", count(of(Severity::Error), "error"), count(of(Severity::Warning), "warning"))
}
