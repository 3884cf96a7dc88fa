//! What the terminal can do: colour, width. Colour is off when standard output is no terminal or `NO_COLOR` is set.

use std::io::IsTerminal;

use owo_colors::{OwoColorize, Style};

/// How to print for people.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Whether colours are wanted.
    pub colour: bool,
    /// Columns.
    pub width: usize,
}

impl Terminal {
    /// As standard output is.
    pub fn stdout() -> Self {
        let tty = std::io::stdout().is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let width = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok()).unwrap_or(100);
        Terminal { colour: tty && !no_colour && std::env::var_os("TERM").is_none_or(|t| t != "dumb"), width }
    }

    /// `text` in a style, where colours are wanted.
    pub fn paint(&self, text: &str, style: Style) -> String {
        if self.colour { text.style(style).to_string() } else { text.to_string() }
    }
}
