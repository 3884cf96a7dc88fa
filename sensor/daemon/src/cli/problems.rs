//! Problems of configuration and rules, for people: the place, the line itself, what is wrong, what would be right.

use std::fmt::Write;

use owo_colors::Style;
use ringfence_core::diagnostic::{Diagnostics, Problem, Severity};
use unicode_width::UnicodeWidthStr;

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
    diagnostics.problems().iter().fold(String::new(), |text, problem| text + &one(problem, terminal) + "\n")
}

fn one(p: &Problem, terminal: &Terminal) -> String {
    let (word, style) = match p.severity {
        Severity::Error => ("error", Style::new().red().bold()),
        Severity::Warning => ("warning", Style::new().yellow().bold()),
    };
    let key = if p.key.is_empty() { String::new() } else { format!("{}: ", printable(p.key.as_bytes())) };
    let place = if p.line > 0 { format!("{}:{}:{}", p.file, p.line, p.column) } else { p.file.clone() };
    // writing to a String cannot fail
    let mut text = String::new();
    let _ = writeln!(text, "{}: {key}{}", terminal.paint(word, style), printable(p.message.as_bytes()));
    let gutter = p.line.max(1).ilog10() as usize + 1;
    let _ = writeln!(text, "{:gutter$}--> {}", "", printable(place.as_bytes()));
    if let Some(excerpt) = p.excerpt.as_ref().filter(|e| !e.trim().is_empty() && p.line > 0) {
        let (line, at, width) = window(excerpt, p.column, terminal.width.saturating_sub(gutter + 3).max(40));
        let _ = writeln!(text, "{} | {line}", p.line);
        let _ = writeln!(text, "{:gutter$} | {:at$}{}", "", "", terminal.paint(&"^".repeat(width), style));
    }
    if let Some(help) = &p.help {
        let _ = writeln!(text, "{:gutter$} = help: {}", "", printable(help.as_bytes()));
    }
    text
}

/// The part of a line around a column that fits, where the word at the column begins in it, and how wide that is.
fn window(line: &str, column: usize, room: usize) -> (String, usize, usize) {
    let at = line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(at, _)| at);
    let (before, rest) = line.split_at(at);
    // A line may be as long as the file: no more of it is looked at than can be shown.
    let from = before.char_indices().rev().nth(room).map_or(0, |(i, _)| i);
    let to = rest.char_indices().nth(room).map_or(rest.len(), |(i, _)| i);
    let (before, rest) = (before.get(from..).unwrap_or(""), rest.get(..to).unwrap_or(""));
    let shown = |text: &str| printable(text.replace('\t', " ").as_bytes());
    let (before, word) = (shown(before), shown(word_of(rest)));
    let mut text = before.clone() + &shown(rest);
    let mut start = before.width();
    // Keep a third of the room for what stands before the word.
    if text.width() > room && start > room / 3 {
        let cut: usize = text.char_indices().map(|(i, _)| i).find(|i| before.get(*i..).is_none_or(|b| b.width() <= room / 3)).unwrap_or(0);
        text = format!("…{}", text.get(cut..).unwrap_or(""));
        start = 1 + before.get(cut..).map_or(0, UnicodeWidthStr::width);
    }
    if text.width() > room {
        let end = text.char_indices().map(|(i, _)| i).take_while(|i| text.get(..*i).is_some_and(|t| t.width() < room)).last().unwrap_or(0);
        text = format!("{}…", text.get(..end).unwrap_or(""));
    }
    let width = word.width().min(text.width().saturating_sub(start)).max(1);
    (text, start, width)
}

/// The value or the key at the beginning of a text: quoted, in brackets, or up to the next delimiter.
fn word_of(text: &str) -> &str {
    let end = match text.chars().next() {
        Some(quote @ ('"' | '\'')) => text.get(1..).and_then(|t| t.find(quote)).map(|i| i + 2),
        Some('[') => text.rfind(']').map(|i| i + 1),
        _ => text.find(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ']' | '}' | '=')),
    };
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// `3 errors, 1 warning`.
pub fn summary(diagnostics: &Diagnostics) -> String {
    let of = |severity| diagnostics.problems().iter().filter(|p| p.severity == severity).count();
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    format!("{}, {}", count(of(Severity::Error), "error"), count(of(Severity::Warning), "warning"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Terminal = Terminal { colour: false, width: 80 };

    fn problem(line: usize, column: usize, excerpt: &str) -> Problem {
        Problem {
            severity: Severity::Error,
            file: "ringfence.toml".into(),
            line,
            column,
            key: "segments.a.vlans".into(),
            message: "5000 is no VLAN id".into(),
            help: Some("VLAN ids go from 1 to 4094".into()),
            excerpt: Some(excerpt.into()),
        }
    }

    fn shown(problem: Problem) -> String {
        let mut all = Diagnostics::default();
        all.push(problem);
        text(&all, &PLAIN)
    }

    #[test]
    fn an_excerpt_with_a_caret_under_the_word() {
        assert_eq!(
            shown(problem(12, 9, "vlans = 5000  # too large")),
            "error: segments.a.vlans: 5000 is no VLAN id\n  --> ringfence.toml:12:9\n12 | vlans = 5000  # too large\n   |         ^^^^\n   = help: VLAN ids go from 1 to 4094\n\n"
        );
    }

    #[test]
    fn carets_stand_under_what_they_mean() {
        for (line, column, under) in [
            ("site = \"a b\" # x", 8, "\"a b\""),
            ("vlans = [7, 5000]", 13, "5000"),
            ("vlans = [7, 5000] # x", 9, "[7, 5000]"),
            ("[segments.a]", 1, "[segments.a]"),
            ("[[waiver]]", 1, "[[waiver]]"),
            ("a,02:00,x", 3, "02:00"),
            ("\tsite = 7", 9, "7"),
            ("site = \"微信\" x", 8, "\"微信\""),
            ("名 = 5000", 5, "5000"),
            ("x = \u{1b}[31m 5", 9, "m"),
            ("sitee=7", 1, "sitee"),
        ] {
            let (text, at, width) = window(line, column, 77);
            let mut start = 0;
            let from = text
                .char_indices()
                .find(|(i, _)| {
                    start = text[..*i].width();
                    start >= at
                })
                .map_or(text.len(), |(i, _)| i);
            let to = text
                .char_indices()
                .map(|(i, _)| i)
                .chain([text.len()])
                .find(|i| *i >= from && text[from..*i].width() >= width)
                .expect("inside");
            assert_eq!(&text[from..to], under, "{line}");
        }
    }

    #[test]
    fn long_lines_show_the_part_that_matters() {
        let line = format!("prefixes = [{}, \"ten\", {}]", "\"10.0.0.0/8\", ".repeat(50), "\"10.0.0.0/8\", ".repeat(50));
        let column = line.find("\"ten\"").expect("there") + 1;
        let (text, at, width) = window(&line, column, 77);
        assert!(text.width() <= 79 && text.contains("\"ten\"") && text.starts_with('…') && text.ends_with('…'), "{text}");
        assert_eq!((text.chars().skip(at).take(width).collect::<String>()).as_str(), "\"ten\"");
    }

    #[test]
    fn nothing_reaches_the_terminal_raw() {
        let mut evil = problem(3, 1, "\u{1b}]0;owned\u{7} = 1");
        evil.key = "seg\u{1b}[2J".into();
        evil.file = "a\nb.toml".into();
        let text = shown(evil);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}') && text.contains(r"a\x0ab.toml"), "{text}");
    }

    #[test]
    fn a_problem_with_a_whole_file_has_no_excerpt() {
        let mut all = Diagnostics::default();
        all.file_error("none.toml", "cannot be read", Some("check the path".into()));
        assert_eq!(text(&all, &PLAIN), "error: cannot be read\n --> none.toml\n  = help: check the path\n\n");
        assert_eq!(summary(&all), "1 error, 0 warnings");
    }

    #[test]
    fn every_column_of_any_line_is_safe() {
        for line in ["", "[", "[[", "\"", "]]", "微", "a\u{301}\u{301}", "\t\t", "x = [[[", &"é".repeat(300)] {
            for column in 0..320 {
                let (text, at, width) = window(line, column, 40);
                assert!(at <= text.width() && width >= 1, "{line:?} {column}");
            }
        }
    }
}
