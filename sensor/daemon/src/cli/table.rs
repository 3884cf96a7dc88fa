//! Rows in columns, for people.

use owo_colors::Style;
use unicode_width::UnicodeWidthStr;

use super::Terminal;

/// A header and rows; nothing when there is no row.
pub fn headed(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Vec<Vec<String>> {
    let mut all = vec![header.iter().map(|h| h.to_string()).collect()];
    all.extend(rows);
    if all.len() == 1 { Vec::new() } else { all }
}

/// An empty line, the header, the rows, each two columns in; nothing when there is nothing.
pub fn text(rows: &[Vec<String>], terminal: &Terminal) -> String {
    let Some(columns) = rows.first().map(Vec::len) else { return String::new() };
    let width = |column: usize| rows.iter().filter_map(|r| r.get(column)).map(|c| c.width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = "\n".to_string();
    for (i, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width()))));
        let line = cells.collect::<Vec<_>>().join("  ");
        let line = if i == 0 { terminal.paint(line.trim_end(), Style::new().bold()) } else { line.trim_end().to_string() };
        text += &format!("  {line}\n");
    }
    text
}
