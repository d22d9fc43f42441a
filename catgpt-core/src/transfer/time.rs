//! Times as people and other programs write them, and back to milliseconds since 1970.

const DAY_MS: i64 = 86_400_000;

/// `2026-11-21T17:44:33.123Z`. What does not fit into four digits of a year is cut to them.
pub(super) fn format(ms: i64) -> String {
    let ms = ms.clamp(FIRST, LAST);
    let (year, month, day) = date(ms.div_euclid(DAY_MS));
    let rest = ms.rem_euclid(DAY_MS);
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", rest % 1_000)
}

/// The first and the last moment that [`format`] can write.
const FIRST: i64 = -62_167_219_200_000;
const LAST: i64 = 253_402_300_799_999;

/// Reads `2026-11-21`, with a time after a `T` or a space, with a fraction, with `Z` or `+01:00`. Without a zone it is UTC,
/// which is what SQLite's own functions and Python's `utcnow` write.
pub(super) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    let (year, rest) = number(text, 4)?;
    let (month, rest) = number(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = number(rest.strip_prefix('-')?, 2)?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let midnight = days(year, month, day) * DAY_MS;
    match rest.strip_prefix(['T', 't', ' ']) {
        Some(time) => Some(midnight + clock(time)?),
        None => rest.is_empty().then_some(midnight),
    }
}

/// `17:44`, `17:44:33`, `17:44:33.123456`, each with a zone or without.
fn clock(text: &str) -> Option<i64> {
    let (hour, rest) = number(text, 2)?;
    let (minute, rest) = number(rest.strip_prefix(':')?, 2)?;
    let (second, rest) = match rest.strip_prefix(':') {
        Some(rest) => number(rest, 2)?,
        None => (0, rest),
    };
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction, rest) = match rest.strip_prefix(['.', ',']) {
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())),
        None => ("", rest),
    };
    let milliseconds: i64 = format!("{fraction:0<3}")[..3].parse().ok()?;
    let whole = ((hour * 60 + minute) * 60 + second) * 1_000 + milliseconds;
    Some(whole - zone(rest.trim_start())? * 60_000)
}

/// How many minutes a zone is before UTC.
fn zone(text: &str) -> Option<i64> {
    let (sign, rest) = match text.as_bytes().first() {
        None => return Some(0),
        Some(b'Z' | b'z') => return (text.len() == 1).then_some(0),
        Some(b'+') => (1, &text[1..]),
        Some(b'-') => (-1, &text[1..]),
        Some(_) => return None,
    };
    let (hours, rest) = number(rest, 2)?;
    let minutes = rest.strip_prefix(':').unwrap_or(rest);
    let (minutes, rest) = if minutes.is_empty() { (0, "") } else { number(minutes, 2)? };
    rest.is_empty().then_some(sign * (hours * 60 + minutes))
}

fn number(text: &str, digits: usize) -> Option<(i64, &str)> {
    let (number, rest) = text.split_at_checked(digits)?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())?.map(|number| (number, rest))
}

/// A number of seconds since 1970; one that would be after the year 5000 is milliseconds.
pub(super) fn from_number(number: f64) -> Option<i64> {
    const TOO_LATE: f64 = 95_617_584_000.0;
    let ms = if number.abs() < TOO_LATE { number * 1_000.0 } else { number };
    let fits = ms.is_finite() && ms > -62_000_000_000_000.0 && ms < 253_000_000_000_000.0;
    #[allow(clippy::cast_possible_truncation, reason = "it is checked to fit")]
    fits.then_some(ms.round() as i64)
}

/// Days since 1970 of a date, and the date of such days: the calendar's years counted from March, in eras of 400.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468
}

fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_form_is_the_same_moment() {
        for text in [
            "2026-11-21T17:44:33.123Z",
            "2026-11-21 17:44:33.123",
            "2026-11-21 17:44:33.123456",
            "2026-11-21T18:44:33.123+01:00",
            "2026-11-21T12:14:33.123-0530",
            " 2026-11-21T17:44:33,123z ",
        ] {
            assert_eq!(parse(text), Some(1_795_283_073_123), "{text}");
        }
        assert_eq!(parse("1970-01-01"), Some(0));
        assert_eq!(parse("2000-02-29 12:00"), Some(951_825_600_000));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in
            ["", "yesterday", "2026-13-01", "2026-11-21T25:00", "2026-11-21x", "2026-11-21T17:44+1", "é026-01-01"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_seconds_or_milliseconds() {
        assert_eq!(from_number(1_700_000_000.5), Some(1_700_000_000_500));
        assert_eq!(from_number(1_700_000_000_500.0), Some(1_700_000_000_500));
        for odd in [f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(from_number(odd), None);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(ms in FIRST..=LAST) {
            prop_assert_eq!(parse(&format(ms)), Some(ms));
        }
    }
}
