//! Times in foreign tables: numbers since 1970 in whichever unit, and the usual ways to write a date.

use super::{Cell, Column};

/// How the numbers of a time column become seconds.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Clock {
    /// Units in a second: 1, 1e3, 1e6 or 1e9.
    pub per_second: f64,
}

impl Clock {
    /// Guesses the unit from the largest number: dates of this century need 10, 13, 16 or 19 digits.
    pub fn of(column: &Column) -> Clock {
        let numbers = (0..column.len()).map(|r| column.number(r).abs()).filter(|x| x.is_finite());
        let largest = numbers.fold(0.0, f64::max);
        let per_second = match largest {
            x if x >= 1e17 => 1e9,
            x if x >= 1e14 => 1e6,
            x if x >= 1e11 => 1e3,
            _ => 1.0,
        };
        Clock { per_second }
    }

    /// Seconds of a cell, NaN where it is no time.
    pub fn seconds(self, cell: Cell<'_>) -> f64 {
        match cell {
            Cell::Missing => f64::NAN,
            Cell::Number(x) => x / self.per_second,
            Cell::Text(t) => parse_time(t).unwrap_or(f64::NAN),
        }
    }
}

/// Seconds since 1970 of a written date and time, the zone taken as UTC where none stands there; a time of day alone counts from midnight.
/// Reads `2017-07-05T09:15:02.5Z`, `2017/07/05 09:15`, `5/7/2017 9:15:02 PM` (day first unless that cannot be) and `05/07/17 09`.
pub fn parse_time(text: &str) -> Option<f64> {
    let text = text.trim();
    let (date, clock) = match text.find(['T', ' ']) {
        Some(at) => (&text[..at], text[at + 1..].trim()),
        None if text.contains(':') => ("", text),
        None => (text, ""),
    };
    if text.is_empty() {
        return None;
    }
    let days = if date.is_empty() { 0 } else { parse_date(date)? };
    Some(days as f64 * 86_400.0 + if clock.is_empty() { 0.0 } else { parse_clock(clock)? })
}

fn parse_date(date: &str) -> Option<i64> {
    let sign = ['-', '/', '.'].into_iter().find(|s| date.contains(*s))?;
    let mut parts = date.split(sign);
    let mut next = || parts.next()?.parse::<i64>().ok().filter(|x| (0..10_000).contains(x));
    let (a, b, c) = (next()?, next()?, next()?);
    if parts.next().is_some() {
        return None;
    }
    let century = |y: i64| {
        if y < 70 {
            2000 + y
        } else if y < 100 {
            1900 + y
        } else {
            y
        }
    };
    let (year, month, day) = if a > 31 {
        (a, b, c)
    } else if b > 12 {
        (century(c), a, b)
    } else {
        (century(c), b, a)
    };
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since 1970, by Howard Hinnant's rule for the proleptic Gregorian calendar.
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y - era * 400;
    let doy = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    Some(era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468)
}

fn parse_clock(clock: &str) -> Option<f64> {
    let upper = clock.to_ascii_uppercase();
    let (body, half) = match upper.strip_suffix("AM").map(|b| (b, 0)).or(upper.strip_suffix("PM").map(|b| (b, 12))) {
        Some((body, half)) => (body.trim_end().to_owned(), Some(half)),
        None => (upper, None),
    };
    let body = body.trim_end_matches('Z').trim_end_matches("UTC").trim_end();
    let (body, zone) = match body.rfind(['+', '-']) {
        Some(at) => {
            let digits: String = body[at + 1..].chars().filter(char::is_ascii_digit).collect();
            let hours: f64 = digits.get(..2)?.parse().ok()?;
            let minutes: f64 = digits.get(2..4).unwrap_or("0").parse().ok()?;
            let offset = hours * 3600.0 + minutes * 60.0;
            (&body[..at], if body.as_bytes()[at] == b'-' { -offset } else { offset })
        }
        None => (body, 0.0),
    };
    let mut parts = body.trim().split(':');
    let mut hours: f64 = parts.next()?.parse().ok()?;
    let minutes: f64 = parts.next().map_or(Some(0.0), |m| m.parse().ok())?;
    let seconds: f64 = parts.next().map_or(Some(0.0), |s| s.replacen(',', ".", 1).parse().ok())?;
    if let Some(half) = half {
        hours = hours % 12.0 + f64::from(half);
    }
    let ok = (0.0..=24.0).contains(&hours) && (0.0..60.0).contains(&minutes) && (0.0..62.0).contains(&seconds);
    ok.then_some(hours * 3600.0 + minutes * 60.0 + seconds - zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_ways_to_write_a_time() {
        let base = 1_499_246_102.0; // 2017-07-05 09:15:02 UTC
        for (text, seconds) in [
            ("2017-07-05T09:15:02Z", base),
            ("2017-07-05T11:15:02.5+02:00", base + 0.5),
            ("2017/07/05 09:15:02", base),
            ("5/7/2017 9:15:02 AM", base),
            ("05/07/17 09", base - 902.0),
            ("07/15/2017 09:15:02", base + 864_000.0),
            ("07:08:31.25", 25_711.25),
        ] {
            assert_eq!(parse_time(text), Some(seconds), "{text}");
        }
        assert!(["x", "99/99/99", "1:2:99", "", "--", "é T"].iter().all(|t| parse_time(t).is_none()));
    }
}
