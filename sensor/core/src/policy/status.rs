//! What the policy says about an app in a segment: its lines, and the defaults of each class where no line matches.

use super::segment::Segment;
use super::words::{SegmentClass, Status};

/// A line of the policy: which status an app has where. The first line that matches decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its name in outputs.
    pub name: String,
    /// The apps it is about; empty for all.
    pub apps: Vec<String>,
    /// Segment classes it is about; empty for all.
    pub classes: Vec<SegmentClass>,
    /// Segment names it is about; empty for all.
    pub segments: Vec<String>,
    /// What it says.
    pub status: Status,
}

impl Line {
    /// Whether it is about this app in this segment.
    pub fn matches(&self, app: &str, segment: &Segment) -> bool {
        let apps = self.apps.is_empty() || self.apps.iter().any(|a| a == app);
        apps && (self.classes.is_empty() || self.classes.contains(&segment.class))
            && (self.segments.is_empty() || self.segments.iter().any(|s| **s == *segment.name))
    }

    /// Whether it matches wherever `other` does, so that `other` behind it never decides.
    pub fn hides(&self, other: &Line, class_of: impl Fn(&str) -> Option<SegmentClass>) -> bool {
        let apps = self.apps.is_empty() || (!other.apps.is_empty() && other.apps.iter().all(|a| self.apps.contains(a)));
        let segments = self.segments.is_empty() || (!other.segments.is_empty() && other.segments.iter().all(|s| self.segments.contains(s)));
        let named = || other.segments.iter().all(|s| class_of(s).is_some_and(|c| self.classes.contains(&c)));
        let classes = self.classes.is_empty()
            || (!other.classes.is_empty() && other.classes.iter().all(|c| self.classes.contains(c)))
            || (!other.segments.is_empty() && named());
        apps && segments && classes
    }
}

/// What holds for an app in a segment, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The status.
    pub status: Status,
    /// Whether a waiver may permit use.
    pub waivable: bool,
    /// The line or the default, for outputs: `no tiktok (banned)`, `default for standard (separate_device)`.
    pub line: String,
}

impl Standing {
    /// What a line says.
    pub(super) fn of_line(line: &Line) -> Standing {
        let waivable = line.status == Status::SeparateDevice;
        Standing { status: line.status, waivable, line: [&line.name, " (", line.status.name(), ")"].concat() }
    }

    /// What holds in a class of segments where no line says otherwise.
    pub(super) fn by_default(class: SegmentClass) -> Standing {
        let (status, waivable, word) = match class {
            SegmentClass::Sensitive => (Status::Banned, true, "banned unless waived"),
            SegmentClass::Standard | SegmentClass::Separate => (Status::SeparateDevice, true, Status::SeparateDevice.name()),
            SegmentClass::Guest => (Status::Tolerated, false, Status::Tolerated.name()),
            // Nobody said what the segment is for: recorded, so that it can be seen.
            SegmentClass::Unknown => (Status::Tolerated, false, "recorded: the segment is not configured"),
        };
        Standing { status, waivable, line: ["default for ", class.name(), " (", word, ")"].concat() }
    }

    /// Whether a device that shows the app has to keep apart from sensitive segments and work services. Where the app is under
    /// audit or allowed the organisation itself uses it.
    pub fn separates(&self) -> bool {
        matches!(self.status, Status::Banned | Status::SeparateDevice | Status::Tolerated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(apps: &[&str], classes: &[SegmentClass], segments: &[&str]) -> Line {
        let texts = |t: &[&str]| t.iter().map(|t| t.to_string()).collect();
        Line { name: "line".into(), apps: texts(apps), classes: classes.to_vec(), segments: texts(segments), status: Status::Banned }
    }

    #[test]
    fn lines_match_by_app_class_and_segment() {
        let office = Segment { name: "office".into(), class: SegmentClass::Standard, selectors: Vec::new() };
        for (line, app, expect) in [
            (line(&[], &[], &[]), "qq", true),
            (line(&["qq", "tiktok"], &[], &[]), "qq", true),
            (line(&["tiktok"], &[], &[]), "qq", false),
            (line(&[], &[SegmentClass::Standard], &[]), "qq", true),
            (line(&[], &[SegmentClass::Guest], &[]), "qq", false),
            (line(&[], &[], &["office"]), "qq", true),
            (line(&[], &[], &["lab"]), "qq", false),
            (line(&["qq"], &[SegmentClass::Guest], &["office"]), "qq", false),
        ] {
            assert_eq!(line.matches(app, &office), expect, "{line:?}");
        }
    }

    #[test]
    fn a_line_behind_a_wider_one_never_decides() {
        let class_of = |name: &str| (name == "office").then_some(SegmentClass::Standard);
        let (standard, guest) = (SegmentClass::Standard, SegmentClass::Guest);
        for (first, second, expect) in [
            (line(&[], &[], &[]), line(&["qq"], &[guest], &[]), true),
            (line(&["qq"], &[], &[]), line(&[], &[], &[]), false),
            (line(&["qq"], &[], &[]), line(&["qq"], &[], &["office"]), true),
            (line(&["qq"], &[], &[]), line(&["qq", "wechat"], &[], &["office"]), false),
            (line(&["qq"], &[standard], &[]), line(&["qq"], &[], &["office"]), true),
            (line(&["qq"], &[guest], &[]), line(&["qq"], &[], &["office"]), false),
            (line(&["qq"], &[], &["office"]), line(&["qq"], &[standard], &[]), false),
            (line(&["qq"], &[standard, guest], &[]), line(&["qq"], &[guest], &[]), true),
        ] {
            assert_eq!(first.hides(&second, class_of), expect, "{first:?} {second:?}");
        }
    }
}
