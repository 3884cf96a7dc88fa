//! Pages of a list. An entry's place is made of what never changes, so that no entry is skipped or told twice while others come and go.

use crate::http::problem::Problem;
use crate::http::query::Query;

/// Entries of a page, where the query does not say.
const LIMIT: usize = 100;

/// Where an entry stands: a number, then a name.
pub type Place = (u64, String);

/// The page that a query asks for: `entries`, and the cursor of the next page.
///
/// # Errors
/// [`Problem`] when the cursor is none.
pub fn cut<T>(mut entries: Vec<(Place, T)>, query: &Query) -> Result<(Vec<T>, Option<String>), Problem> {
    entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let after = query.text("cursor").map(read).transpose()?;
    let start = after.map_or(0, |place| entries.partition_point(|(p, _)| *p <= place));
    let end = start.saturating_add(query.number("limit").unwrap_or(LIMIT)).min(entries.len());
    let next = (end < entries.len()).then(|| end.checked_sub(1).and_then(|last| entries.get(last)).map(|(p, _)| write(p))).flatten();
    Ok((entries.drain(start..end).map(|(_, entry)| entry).collect(), next))
}

fn write((number, name): &Place) -> String {
    format!("{number:016x}{name}")
}

fn read(cursor: &str) -> Result<Place, Problem> {
    let parts = cursor.split_at_checked(16).and_then(|(n, name)| Some((u64::from_str_radix(n, 16).ok()?, name.to_string())));
    parts.ok_or_else(|| Problem::bad_value(format!("`{}` is no cursor", cursor.escape_debug()), "take `next` of the page before"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::query::{Key, Kind};

    const KEYS: &[Key] = &[
        Key { name: "limit", kind: Kind::Number { min: 1, max: 1_000, default: 100 }, about: "" },
        Key { name: "cursor", kind: Kind::Text, about: "" },
    ];

    fn ask(entries: &[(u64, &str)], raw: &str) -> (Vec<String>, Option<String>) {
        let entries = entries.iter().map(|(n, name)| ((*n, name.to_string()), name.to_string())).collect();
        cut(entries, &Query::read(KEYS, raw).expect("good")).expect("a page")
    }

    #[test]
    fn pages_follow_one_another_though_entries_come_and_go() {
        let before = [(2, "c"), (1, "a"), (1, "b"), (3, "d")];
        let (first, next) = ask(&before, "limit=2");
        assert_eq!(first, ["a", "b"]);
        let cursor = next.expect("more");
        // b is gone, e is new
        let (second, next) = ask(&[(2, "c"), (1, "a"), (3, "d"), (4, "e")], &format!("limit=2&cursor={cursor}"));
        assert_eq!((second, next.is_some()), (vec!["c".to_string(), "d".to_string()], true));
        let (third, next) = ask(&[(4, "e")], &format!("cursor={}", next.expect("more")));
        assert_eq!((third, next), (vec!["e".to_string()], None));
        assert_eq!(ask(&before, "limit=4").1, None);
        assert_eq!(ask(&[], ""), (vec![], None));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for bad in ["x", "zzzzzzzzzzzzzzzz", "微信微信微信"] {
            assert!(cut::<()>(vec![], &Query::read(KEYS, &format!("cursor={bad}")).expect("text")).is_err(), "{bad}");
        }
    }
}
