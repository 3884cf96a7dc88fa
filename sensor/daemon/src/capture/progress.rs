//! How far reading is: a bar on standard error, only when that is a terminal. Moved once per chunk, never per packet.

use std::io::IsTerminal;
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Counts the bytes that inputs deliver, and shows them where somebody can see it. Clones share one bar.
#[derive(Clone, Debug, Default)]
pub struct Meter(Option<ProgressBar>);

const KNOWN: &str = "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
const UNKNOWN: &str = "{spinner} {bytes} {bytes_per_sec} {elapsed}";

impl Meter {
    /// A meter that shows nothing.
    pub fn hidden() -> Self {
        Meter(None)
    }

    /// A meter on standard error for these inputs, hidden when standard error is no terminal.
    ///
    /// The total is unknown as soon as one input has no size (standard input, a pipe).
    pub fn on_stderr<P: AsRef<Path>>(paths: &[P]) -> Self {
        if !std::io::stderr().is_terminal() || std::env::var_os("TERM").is_some_and(|t| t == "dumb") {
            return Meter::hidden();
        }
        Meter(Some(bar(total(paths), ProgressDrawTarget::stderr())))
    }

    /// Counts bytes that were read.
    pub(super) fn add(&self, bytes: usize) {
        if let Some(bar) = &self.0 {
            bar.inc(bytes as u64);
        }
    }

    /// Runs what prints to the terminal while the bar is out of the way.
    pub fn suspend<R>(&self, print: impl FnOnce() -> R) -> R {
        match &self.0 {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: Option<u64>, target: ProgressDrawTarget) -> ProgressBar {
    let template = if total.is_some() { KNOWN } else { UNKNOWN };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(total, target).with_style(style)
}

/// Bytes of all inputs together; `None` when one has no size.
fn total<P: AsRef<Path>>(paths: &[P]) -> Option<u64> {
    paths.iter().try_fold(0u64, |sum, path| {
        let meta = std::fs::metadata(path).ok().filter(|m| m.is_file() && path.as_ref().as_os_str() != "-")?;
        Some(sum.saturating_add(meta.len()))
    })
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex, PoisonError};

    use indicatif::TermLike;

    use super::*;

    /// A terminal that remembers what is on its line.
    #[derive(Clone, Debug, Default)]
    struct Line(Arc<Mutex<String>>);

    impl Line {
        fn text(&self) -> String {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }
    }

    impl TermLike for Line {
        fn width(&self) -> u16 {
            100
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, s: &str) -> io::Result<()> {
            self.write_str(s)
        }
        fn write_str(&self, s: &str) -> io::Result<()> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push_str(s);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn totals_are_known_only_for_plain_files() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let file = dir.path().join("a");
        std::fs::write(&file, [0; 70]).expect("write");
        assert_eq!(total(&[&file, &file]), Some(140));
        assert_eq!(total(&[file.as_path(), Path::new("-")]), None);
        assert_eq!(total(&[dir.path()]), None);
    }

    #[test]
    fn shows_bytes_of_the_total_and_goes_away() {
        for (of, expect) in [(Some(4096), "1.00 KiB/4.00 KiB"), (None, "1.00 KiB")] {
            let line = Line::default();
            let meter = Meter(Some(bar(of, ProgressDrawTarget::term_like(Box::new(line.clone())))));
            meter.add(1024);
            meter.0.as_ref().expect("shown").force_draw();
            assert!(line.text().contains(expect), "{:?}", line.text());
            meter.finish();
            assert_eq!(line.text().trim(), "");
        }
    }

    #[test]
    fn is_silent_without_a_terminal() {
        if !io::stderr().is_terminal() {
            assert!(Meter::on_stderr(&["Cargo.toml"]).0.is_none());
        }
        assert_eq!(Meter::hidden().suspend(|| 7), 7);
    }
}
