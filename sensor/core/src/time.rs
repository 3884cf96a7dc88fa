//! Points in time as the capture states them. Nothing here reads a clock.

use std::fmt;
use std::time::Duration;

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z, saturating at both ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

const NANOS_PER_SEC: u64 = 1_000_000_000;

impl Timestamp {
    /// The earliest representable time.
    pub const ZERO: Timestamp = Timestamp(0);
    /// The latest representable time (in the year 2554).
    pub const MAX: Timestamp = Timestamp(u64::MAX);

    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Timestamp(nanos)
    }

    /// From whole seconds and a sub-second part in nanoseconds, saturating; a part above one second carries over.
    pub const fn from_secs_nanos(secs: u64, nanos: u64) -> Self {
        Timestamp(secs.saturating_mul(NANOS_PER_SEC).saturating_add(nanos))
    }

    /// Nanoseconds since the epoch.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch.
    pub const fn secs(self) -> u64 {
        self.0 / NANOS_PER_SEC
    }

    /// `self + span`, saturating.
    pub const fn after(self, span: Duration) -> Self {
        Timestamp(self.0.saturating_add(nanos_of(span)))
    }

    /// `self - span`, saturating at the epoch.
    pub const fn before(self, span: Duration) -> Self {
        Timestamp(self.0.saturating_sub(nanos_of(span)))
    }

    /// How long after `earlier` this is; zero when it is not later.
    pub const fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Whether more than `span` has passed since `earlier`. With a constant span this is one comparison, for the packet path.
    #[inline(always)]
    pub const fn exceeds(self, earlier: Timestamp, span: Duration) -> bool {
        self.0.saturating_sub(earlier.0) > nanos_of(span)
    }

    /// The distance between two times, whichever is first.
    pub const fn distance(self, other: Timestamp) -> Duration {
        Duration::from_nanos(self.0.abs_diff(other.0))
    }

    /// `2026-11-23 11:47 UTC`: for sentences.
    pub fn to_minute(self) -> String {
        let text = self.to_string();
        format!("{} {} UTC", text.get(..10).unwrap_or(""), text.get(11..16).unwrap_or(""))
    }

    /// Reads RFC 3339 (`2026-11-23T11:47:00Z`, `2026-11-23T12:47:00.5+01:00`) or a plain date (midnight UTC).
    pub fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let mut part = date.split('-');
        let year: i64 = part.next().filter(|y| y.len() == 4)?.parse().ok()?;
        let month: u32 = part.next().filter(|m| m.len() == 2)?.parse().ok()?;
        let day: u32 = part.next().filter(|d| d.len() == 2)?.parse().ok()?;
        if part.next().is_some() || !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
            return None;
        }
        let midnight = days_from_civil(year, month, day).checked_mul(86_400)?;
        let (secs, nanos) = if rest.is_empty() { (0, 0) } else { parse_time(rest)? };
        Some(Timestamp::from_secs_nanos(u64::try_from(midnight.checked_add(secs)?).ok()?, nanos))
    }
}

const fn nanos_of(span: Duration) -> u64 {
    let nanos = span.as_nanos();
    if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 }
}

/// The part after the date: seconds since midnight UTC, and nanoseconds.
fn parse_time(rest: &str) -> Option<(i64, u64)> {
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, zone) = match rest.find(['Z', 'z', '+', '-']) {
        Some(at) => rest.split_at_checked(at)?,
        None => return None,
    };
    let (hms, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let (h, m, s) = parse_hms(hms)?;
    let nanos = match fraction {
        "" if clock.contains('.') => return None,
        "" => 0,
        digits if digits.len() <= 9 && digits.bytes().all(|b| b.is_ascii_digit()) => format!("{digits:0<9}").parse().ok()?,
        _ => return None,
    };
    let offset = match zone {
        "Z" | "z" => 0,
        _ => {
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            let (oh, om, _) = parse_hms(&format!("{}:00", zone.get(1..)?))?;
            sign * (oh * 3600 + om * 60)
        }
    };
    Some((h * 3600 + m * 60 + s - offset, nanos))
}

fn parse_hms(text: &str) -> Option<(i64, i64, i64)> {
    let mut part = text.split(':').map(|p| if p.len() == 2 { p.parse::<i64>().ok() } else { None });
    let (h, m, s) = (part.next()??, part.next()??, part.next().unwrap_or(Some(0))?);
    (part.next().is_none() && (0..24).contains(&h) && (0..60).contains(&m) && (0..61).contains(&s)).then_some((h, m, s))
}

fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since the epoch of a proleptic Gregorian date (H. Hinnant, "chrono-compatible low-level date algorithms").
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let m = i64::from(month);
    let doy = (153 * (if m > 2 { m - 3 } else { m + 9 }) + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    (year, month, doy - (153 * mp + 2) / 5 + 1)
}

/// RFC 3339 in UTC with microseconds: `2026-11-23T11:47:00.000000Z`. Digit by digit: a formatter costs twenty times as much, and a finding
/// has four of them.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.secs();
        let (year, month, day) = civil_from_days((secs / 86_400) as i64);
        let of_day = secs % 86_400;
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let numbers = [
            (0..4, year as u64),
            (5..7, month as u64),
            (8..10, day as u64),
            (11..13, of_day / 3_600),
            (14..16, of_day / 60 % 60),
            (17..19, of_day % 60),
            (20..26, self.0 % NANOS_PER_SEC / 1_000),
        ];
        for (place, mut number) in numbers {
            for digit in text.iter_mut().take(place.end).skip(place.start).rev() {
                *digit = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prints_and_reads_back() {
        for (text, secs) in [
            ("1970-01-01T00:00:00.000000Z", 0),
            ("2000-02-29T23:59:59.000000Z", 951_868_799),
            ("2026-11-23T11:47:00.000000Z", 1_795_434_420),
        ] {
            let ts = Timestamp::parse(text).expect("valid");
            assert_eq!(ts.secs(), secs);
            assert_eq!(ts.to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn prints_what_a_formatter_would(nanos: u64) {
            let ts = Timestamp::from_nanos(nanos);
            let (secs, micros) = (ts.secs(), nanos % NANOS_PER_SEC / 1_000);
            let (year, month, day) = civil_from_days((secs / 86_400) as i64);
            let (h, m, s) = (secs / 3_600 % 24, secs / 60 % 60, secs % 60);
            prop_assert_eq!(ts.to_string(), format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{micros:06}Z"));
        }
    }

    #[test]
    fn reads_dates_offsets_and_fractions() {
        assert_eq!(Timestamp::parse("2026-11-23"), Timestamp::parse("2026-11-23T00:00:00Z"));
        assert_eq!(Timestamp::parse("2026-11-23T01:30:00+01:30"), Timestamp::parse("2026-11-23T00:00:00Z"));
        assert_eq!(Timestamp::parse("1970-01-01T00:00:01.25Z").map(Timestamp::nanos), Some(1_250_000_000));
    }

    #[test]
    fn refuses_what_is_no_time() {
        for bad in
            ["", "2026", "2026-13-01", "2026-02-30", "2026-11-23T25:00:00Z", "2026-11-23T11:00:00", "2026-11-23T11:00:00.Z", "1969-12-31"]
        {
            assert_eq!(Timestamp::parse(bad), None, "{bad}");
        }
    }
}
