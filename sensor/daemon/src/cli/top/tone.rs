//! Pieces of text with a meaning, and how each is painted: with ratatui on a live screen, as ANSI in a pipe to a terminal.

use owo_colors::Style as Ansi;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ringfence_core::policy::Verdict;

use crate::cli::Terminal;
use crate::output::human;

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing special.
    Plain,
    /// A heading, or who it is about.
    Strong,
    /// What one reads second.
    Quiet,
    /// As it should be.
    Good,
    /// Keeps the sensor from seeing or telling.
    Bad,
    /// A verdict.
    Verdict(Verdict),
}

/// A line of pieces; their text is printable already.
pub type Pieces = Vec<(String, Tone)>;

/// For a live screen.
pub fn painted(line: &Pieces, colour: bool) -> Line<'static> {
    Line::from(line.iter().map(|(text, tone)| Span::styled(text.clone(), style(*tone, colour))).collect::<Vec<_>>())
}

/// For standard output.
pub fn ansi(line: &Pieces, terminal: &Terminal) -> String {
    let paint = |(text, tone): &(String, Tone)| match tone {
        Tone::Plain => text.clone(),
        Tone::Strong => terminal.paint(text, Ansi::new().bold()),
        Tone::Quiet => terminal.paint(text, Ansi::new().dimmed()),
        Tone::Good => terminal.paint(text, Ansi::new().green()),
        Tone::Bad => terminal.paint(text, Ansi::new().red().bold()),
        Tone::Verdict(verdict) => terminal.paint(text, human::verdict_style(*verdict)),
    };
    line.iter().map(paint).collect()
}

/// The colours of `human::verdict_style`, in the words of ratatui.
fn style(tone: Tone, colour: bool) -> Style {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let full = match tone {
        Tone::Plain => Style::new(),
        Tone::Strong => bold,
        Tone::Quiet => Style::new().add_modifier(Modifier::DIM),
        Tone::Good => Style::new().fg(Color::Green),
        Tone::Bad => bold.fg(Color::Red),
        Tone::Verdict(Verdict::Violation) => bold.fg(Color::White).bg(Color::Red),
        Tone::Verdict(Verdict::SeparationBreach) => bold.fg(Color::Red),
        Tone::Verdict(Verdict::WaiverExpired | Verdict::Unapproved) => bold.fg(Color::Yellow),
        Tone::Verdict(Verdict::Disguise) => bold.fg(Color::Magenta),
        Tone::Verdict(Verdict::Waived | Verdict::Observed) => Style::new().fg(Color::Cyan),
        Tone::Verdict(Verdict::Compliant) => Style::new().fg(Color::Green),
    };
    if colour { full } else { Style { fg: None, bg: None, ..full } }
}
