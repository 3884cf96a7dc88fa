//! Wire text made safe for terminals and logs. Everything a network or a file name can say goes through here before people see it.

use std::fmt::Write;

use unicode_width::UnicodeWidthChar;

/// Bytes of wire text that are shown: longer than any DNS name (253) or host header that means something.
const SHOWN_BYTES_MAX: usize = 512;

/// Marks that may follow one another on one base character; more is text made to climb over other lines.
const MARKS_MAX: usize = 4;

/// `bytes` as text that cannot move a cursor, colour a line, reorder what surrounds it, end a log line or hide.
///
/// Control characters and bytes that are not UTF-8 become `\xNN`, invisible and reordering characters `\u{NNNN}`, and a backslash
/// becomes `\\`, so that what is printed says exactly which bytes there were. Text beyond 512 bytes is cut with a note.
pub fn printable(bytes: &[u8]) -> String {
    printable_up_to(bytes, SHOWN_BYTES_MAX)
}

/// Like [`printable`], with another bound on the bytes shown.
pub fn printable_up_to(bytes: &[u8], max: usize) -> String {
    let shown = bytes.get(..cut(bytes, max)).unwrap_or(bytes);
    let mut out = String::with_capacity(shown.len());
    for chunk in shown.utf8_chunks() {
        text(&mut out, chunk.valid());
        for byte in chunk.invalid() {
            // writing to a String cannot fail
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    if shown.len() < bytes.len() {
        let _ = write!(out, "… ({} bytes more)", bytes.len() - shown.len());
    }
    out
}

/// Where to cut: at `max` bytes, or up to three before so that no character is torn apart.
fn cut(bytes: &[u8], max: usize) -> usize {
    if bytes.len() <= max {
        return bytes.len();
    }
    let continues = |at: &usize| bytes.get(*at).is_some_and(|b| b & 0xc0 == 0x80);
    (max.saturating_sub(3)..=max).rev().find(|at| !continues(at)).unwrap_or(max)
}

fn text(out: &mut String, valid: &str) {
    let mut marks = 0;
    for c in valid.chars() {
        marks = if c.width() == Some(0) { marks + 1 } else { 0 };
        match c {
            '\\' => out.push_str("\\\\"),
            c if c.is_ascii_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c if c.is_control() || hidden(c) || marks > MARKS_MAX => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

/// Characters that show nothing, reorder their surroundings, break lines, or mean something else in every font.
fn hidden(c: char) -> bool {
    matches!(u32::from(c),
        0xad                            // soft hyphen
        | 0x34f | 0x61c                 // grapheme joiner, Arabic letter mark
        | 0x115f..=0x1160 | 0x3164 | 0xffa0 // Hangul fillers
        | 0x17b4..=0x17b5 | 0x180b..=0x180f // invisible Khmer vowels, Mongolian selectors
        | 0x200b..=0x200f               // zero width, left-to-right and right-to-left marks
        | 0x2028..=0x202e               // line and paragraph separators, embeddings and overrides
        | 0x2060..=0x206f               // joiners, isolates, deprecated format characters
        | 0xe000..=0xf8ff               // private use
        | 0xfdd0..=0xfdef               // noncharacters
        | 0xfe00..=0xfe0f | 0xfeff      // variation selectors, byte-order mark
        | 0xfff0..=0xffff               // specials: annotations, replacement character
        | 0x1d173..=0x1d17a             // musical format characters
        | 0xe0000..=0x10_ffff           // tags, more selectors, private use
    ) || (c.is_whitespace() && c != ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_plain_text_alone() {
        for text in ["", "weixin.qq.com", "a b_c-d/e:f", "微信", "Grüße", "naïve e\u{301}", "\u{1f4f1}", "\"quoted\" 'x' <b>"] {
            assert_eq!(printable(text.as_bytes()), text);
        }
    }

    #[test]
    fn escapes_what_terminals_and_logs_act_on() {
        for (bytes, expect) in [
            (&b"\x1b[31mred\x1b[0m"[..], r"\x1b[31mred\x1b[0m"),
            (b"\x1b]0;title\x07", r"\x1b]0;title\x07"),
            (b"a\nb\r\nc\td\0e\x7f", r"a\x0ab\x0d\x0ac\x09d\x00e\x7f"),
            (b"back\\slash", r"back\\slash"),
            ("\u{9b}31m\u{85}".as_bytes(), r"\u{9b}31m\u{85}"),
            (b"\x9b31m", r"\x9b31m"),
            ("user\u{202e}moc.qq\u{202c}".as_bytes(), r"user\u{202e}moc.qq\u{202c}"),
            ("\u{2066}x\u{2069}\u{200f}\u{61c}".as_bytes(), r"\u{2066}x\u{2069}\u{200f}\u{61c}"),
            ("zero\u{200b}width\u{feff}".as_bytes(), r"zero\u{200b}width\u{feff}"),
            ("line\u{2028}sep\u{2029}\u{a0}".as_bytes(), r"line\u{2028}sep\u{2029}\u{a0}"),
            ("tag\u{e0041}\u{e000}\u{fffd}".as_bytes(), r"tag\u{e0041}\u{e000}\u{fffd}"),
            (b"\xff\xfe\xc3(", r"\xff\xfe\xc3("),
            (b"\xed\xa0\x80", r"\xed\xa0\x80"),
            (b"\xc0\x80", r"\xc0\x80"),
        ] {
            assert_eq!(printable(bytes), expect);
        }
    }

    #[test]
    fn different_bytes_print_differently() {
        assert_ne!(printable(b"\n"), printable(b"\\x0a"));
        assert_ne!(printable("\u{200b}".as_bytes()), printable(b"\\u{200b}"));
    }

    #[test]
    fn stacked_marks_do_not_climb() {
        let zalgo = format!("a{}", "\u{301}".repeat(40));
        assert_eq!(printable(zalgo.as_bytes()).matches('\u{301}').count(), MARKS_MAX);
    }

    #[test]
    fn every_character_and_byte_comes_out_harmless() {
        for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            let out = printable(c.to_string().as_bytes());
            let safe = out.chars().all(|o| !o.is_control() && (o == ' ' || !o.is_whitespace()) && !hidden(o));
            assert!(safe && !out.is_empty(), "{:x}", u32::from(c));
        }
        for byte in 0..=255u8 {
            assert!(!printable(&[byte]).chars().any(char::is_control));
        }
    }

    #[test]
    fn long_text_is_cut_with_a_note_between_characters() {
        let out = printable(&[b'a'; 65_536]);
        assert_eq!(out, format!("{}… (65024 bytes more)", "a".repeat(512)));
        assert_eq!(printable_up_to("ab微信".as_bytes(), 6), "ab微… (3 bytes more)");
        assert_eq!(printable_up_to("微信".as_bytes(), 1), "… (6 bytes more)");
        assert_eq!(printable_up_to(&[0x80; 9], 5), r"\x80\x80\x80\x80\x80… (4 bytes more)");
        assert!(printable(&[0xff; 65_536]).len() < 4 * 512 + 40);
        assert_eq!(printable_up_to(b"abc", 0), "… (3 bytes more)");
    }
}
