//! Where something stands among the keys of a document.

use std::fmt;
use std::rc::Rc;

/// A dotted key, kept in parts: it is written out only when somebody is told of it, and nearly everything in a file is right.
#[derive(Clone, Debug)]
pub struct KeyPath<'d> {
    /// The dotted key of the table; empty at the root.
    table: Rc<str>,
    /// The key in the table; `None` for the table itself.
    name: Option<&'d str>,
    /// The element, where the value is an array.
    element: Option<usize>,
}

impl<'d> KeyPath<'d> {
    pub(super) fn of_table(table: &Rc<str>) -> Self {
        KeyPath { table: Rc::clone(table), name: None, element: None }
    }

    pub(super) fn of_value(table: &Rc<str>, name: &'d str) -> Self {
        KeyPath { table: Rc::clone(table), name: Some(name), element: None }
    }

    /// An element of the array that stands here.
    pub(super) fn element(&self, at: usize) -> Self {
        KeyPath { element: Some(at), ..self.clone() }
    }

    /// The key in its table; empty for the table itself.
    pub fn name(&self) -> &'d str {
        self.name.unwrap_or("")
    }
}

/// `segments.office.vlan[1]`
impl fmt::Display for KeyPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.table)?;
        if let Some(name) = self.name {
            f.write_str(if self.table.is_empty() { "" } else { "." })?;
            f.write_str(name)?;
        }
        self.element.map_or(Ok(()), |at| write!(f, "[{at}]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_joined_by_dots() {
        let (root, office): (Rc<str>, Rc<str>) = ("".into(), "segments.office".into());
        for (path, text, name) in [
            (KeyPath::of_table(&root), "", ""),
            (KeyPath::of_table(&office), "segments.office", ""),
            (KeyPath::of_value(&root, "title"), "title", "title"),
            (KeyPath::of_value(&root, "names").element(0), "names[0]", "names"),
            (KeyPath::of_value(&office, "vlan").element(12), "segments.office.vlan[12]", "vlan"),
            (KeyPath::of_value(&office, ""), "segments.office.", ""),
        ] {
            assert_eq!((&*path.to_string(), path.name()), (text, name));
        }
    }
}
