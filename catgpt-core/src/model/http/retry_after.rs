//! How long the other side asks to wait: `retry-after-ms`, or `retry-after` as seconds or as a date.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// Reads the headers. A date counts from the other side's own clock, if it tells it.
pub(super) fn read(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &HeaderName| Some(headers.get(name)?.to_str().ok()?.trim());
    let number = |text: &str| text.parse::<f64>().ok();
    if let Some(ms) = text(&HeaderName::from_static("retry-after-ms")).and_then(number) {
        return Duration::try_from_secs_f64(ms / 1000.0).ok();
    }
    let after = text(&RETRY_AFTER)?;
    if let Some(seconds) = number(after) {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let then = httpdate::parse_http_date(after).ok()?;
    let now = text(&DATE).and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or_else(SystemTime::now);
    Some(then.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(headers: &[(&str, &str)]) -> Option<f64> {
        let headers = headers.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect();
        read(&headers).map(|after| after.as_secs_f64())
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(after(&[("retry-after-ms", "1500")]), Some(1.5));
        assert_eq!(after(&[("retry-after", "2")]), Some(2.0));
        assert_eq!(after(&[("retry-after", " 0.25 ")]), Some(0.25));
        let date = ("date", "Sun, 06 Nov 1994 08:49:30 GMT");
        assert_eq!(after(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), date]), Some(7.0));
        assert_eq!(after(&[("retry-after", "Sunday, 06-Nov-94 08:49:37 GMT"), date]), Some(7.0));
    }

    #[test]
    fn the_finer_form_goes_first_and_the_past_is_now() {
        assert_eq!(after(&[("retry-after", "2"), ("retry-after-ms", "100")]), Some(0.1));
        assert_eq!(after(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")]), Some(0.0));
    }

    #[test]
    fn nonsense_is_nothing() {
        for text in ["", "soon", "-1", "NaN", "inf", "1e400"] {
            assert_eq!(after(&[("retry-after", text)]), None, "{text}");
        }
        assert_eq!(after(&[]), None);
    }
}
