//! The live screen: asks in a thread of its own, so that keys are heard while the sensor is slow.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use ratatui::{DefaultTerminal, Frame};

use super::screen;
use super::snapshot::{FINDINGS_MAX, Snapshot};
use super::tone::{Pieces, Tone, painted};
use crate::cli::client::Client;
use crate::cli::safe::printable;
use crate::cli::{Exit, Failure, Terminal};

/// How long a key is waited for before news are looked for.
const KEY_WAIT: Duration = Duration::from_millis(100);

type News = Result<Snapshot, Failure>;

struct View {
    snapshot: Snapshot,
    /// Why there is nothing newer.
    trouble: Option<String>,
    /// Findings above the window.
    above: usize,
    colour: bool,
    every: Duration,
}

/// Shows it until somebody presses `q`.
///
/// # Errors
/// [`Failure`] when the terminal cannot be used.
pub fn run(client: Client, first: Snapshot, every: Duration, terminal: &Terminal) -> Result<(), Failure> {
    let ((send, news), (stop, stopped)) = (mpsc::channel(), mpsc::channel());
    std::thread::spawn(move || look(&client, every, &send, &stopped));
    let mut view = View { snapshot: first, trouble: None, above: 0, colour: terminal.colour, every };
    let result = ratatui::try_init().and_then(|mut screen| show(&mut screen, &mut view, &news));
    ratatui::restore();
    drop(stop);
    result.map_err(|e| Failure::new(Exit::Output, format!("terminal: {e}"), "try `ringfence top --once`".to_string()))
}

fn look(client: &Client, every: Duration, send: &Sender<News>, stopped: &Receiver<()>) {
    // The other end dropped its sender: nobody looks any more.
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(every) {
        if send.send(Snapshot::fetch(client, FINDINGS_MAX)).is_err() {
            return;
        }
    }
}

fn show(screen: &mut DefaultTerminal, view: &mut View, news: &Receiver<News>) -> io::Result<()> {
    loop {
        screen.draw(|frame| draw(frame, view))?;
        if event::poll(KEY_WAIT)?
            && let Event::Key(key) = event::read()?
            && !pressed(view, key)
        {
            return Ok(());
        }
        while let Ok(new) = news.try_recv() {
            match new {
                Ok(snapshot) => (view.snapshot, view.trouble) = (snapshot.since(&view.snapshot), None),
                Err(failure) => view.trouble = Some(failure.message),
            }
        }
    }
}

/// Whether to go on.
fn pressed(view: &mut View, key: KeyEvent) -> bool {
    if key.kind == KeyEventKind::Release {
        return true;
    }
    let last = view.snapshot.findings.len().saturating_sub(1);
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => return false,
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return false,
        KeyCode::Down | KeyCode::Char('j') => view.above = (view.above + 1).min(last),
        KeyCode::Up | KeyCode::Char('k') => view.above = view.above.saturating_sub(1),
        KeyCode::PageDown => view.above = (view.above + 10).min(last),
        KeyCode::PageUp => view.above = view.above.saturating_sub(10),
        KeyCode::Home => view.above = 0,
        KeyCode::End => view.above = last,
        _ => {}
    }
    true
}

/// Head and foot keep their places; findings have what is between.
fn draw(frame: &mut Frame<'_>, view: &mut View) {
    let area = frame.area();
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let mut top = screen::head(&view.snapshot, width);
    top.extend(screen::findings_head(width));
    let mut bottom = screen::foot(&view.snapshot, width);
    // On a low screen findings go before segments and rings.
    bottom.truncate(height.saturating_sub(top.len() + 6));
    let rows = screen::findings(&view.snapshot, width);
    let room = height.saturating_sub(top.len() + bottom.len() + 1);
    view.above = view.above.min(rows.len().saturating_sub(room));
    let shown = rows.iter().skip(view.above).take(room);
    let lines: Vec<Line<'_>> = top.iter().chain(shown).map(|l| painted(l, view.colour)).collect();
    frame.render_widget(Paragraph::new(lines), area);
    let below = u16::try_from(bottom.len() + 1).unwrap_or(0).min(area.height);
    let mut lines: Vec<Line<'_>> = bottom.iter().map(|l| painted(l, view.colour)).collect();
    lines.push(painted(&keys(view, rows.len(), room), view.colour));
    let place = Rect { y: area.height - below, height: below, ..area };
    frame.render_widget(Paragraph::new(lines), place);
}

fn keys(view: &View, rows: usize, room: usize) -> Pieces {
    if let Some(trouble) = &view.trouble {
        let text = format!("no news since {}: {}", view.snapshot.coverage.at.get(11..19).unwrap_or(""), printable(trouble.as_bytes()));
        return vec![(" ! ".into(), Tone::Bad), (text, Tone::Plain)];
    }
    let hidden = rows.saturating_sub(room);
    let scroll = if hidden > 0 { format!("   ↑↓ scroll ({} of {hidden} up)", view.above) } else { String::new() };
    vec![(format!(" q quit{scroll}   every {} s", view.every.as_secs()), Tone::Quiet)]
}
