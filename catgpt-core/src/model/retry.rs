//! When a model is asked again, and how long to wait first. Pure arithmetic; the randomness is handed in.

use std::time::Duration;

use crate::error::Error;

/// How often and how patiently a model is asked again before anything was shown. After that, never.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// How many times it is asked at most, the first time counted. 1 never retries.
    pub attempts: u32,
    /// The first pause's upper bound; it doubles with each attempt.
    pub base: Duration,
    /// The longest pause, whatever the other side asks for.
    pub cap: Duration,
    /// All pauses together.
    pub budget: Duration,
}

impl Default for RetryPolicy {
    /// Three attempts, pauses up to 0.5 s and 1 s (or what the other side asks for, up to 20 s), 30 s in all.
    fn default() -> Self {
        Self {
            attempts: 3,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(20),
            budget: Duration::from_secs(30),
        }
    }
}

impl RetryPolicy {
    /// Never asks again.
    pub fn never() -> Self {
        Self { attempts: 1, ..Self::default() }
    }

    /// The pause before the next attempt, or `None` if there is none.
    ///
    /// `failed` counts the attempts so far, `waited` is the sum of the pauses so far, `jitter` is uniform in 0..1.
    /// Full jitter: anything between nothing and the bound (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
    /// A pause that the other side asks for is kept to, never shortened: if it does not fit, there is no next attempt.
    pub fn pause(&self, error: &Error, failed: u32, waited: Duration, jitter: f64) -> Option<Duration> {
        if !error.is_retryable() || failed >= self.attempts {
            return None;
        }
        let pause = match error.retry_after() {
            Some(asked) if asked > self.cap => return None,
            Some(asked) => asked,
            None => {
                let bound = self.base.saturating_mul(2u32.saturating_pow(failed.saturating_sub(1))).min(self.cap);
                bound.mul_f64(jitter.clamp(0.0, 1.0))
            }
        };
        (waited.saturating_add(pause) <= self.budget).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    const NONE: Duration = Duration::ZERO;

    #[test]
    fn pauses_grow_to_the_cap_and_stop_with_the_attempts() {
        let policy = RetryPolicy { attempts: 9, ..RetryPolicy::default() };
        let error = Error::new(ErrorKind::Unavailable, "down");
        let pauses: Vec<_> = (1..10).map(|n| policy.pause(&error, n, NONE, 1.0).map(|d| d.as_millis())).collect();
        let expect = [500, 1000, 2000, 4000, 8000, 16000, 20000, 20000].map(Some);
        assert_eq!(pauses[..8], expect);
        assert_eq!(pauses[8], None);
    }

    #[test]
    fn jitter_is_full() {
        let error = Error::new(ErrorKind::Unavailable, "down");
        assert_eq!(RetryPolicy::default().pause(&error, 1, NONE, 0.0), Some(NONE));
    }

    #[test]
    fn what_the_other_side_asks_for_is_kept_to_or_given_up() {
        let policy = RetryPolicy::default();
        let asks = |s| Error::new(ErrorKind::RateLimited, "slow").with_retry_after(Some(Duration::from_secs(s)));
        assert_eq!(policy.pause(&asks(7), 1, NONE, 0.1), Some(Duration::from_secs(7)));
        assert_eq!(policy.pause(&asks(21), 1, NONE, 0.1), None);
        assert_eq!(policy.pause(&asks(7), 1, Duration::from_secs(25), 0.1), None);
    }

    #[test]
    fn what_cannot_get_better_is_not_tried_again() {
        let error = Error::new(ErrorKind::Unauthorized, "no");
        assert_eq!(RetryPolicy::default().pause(&error, 1, NONE, 0.5), None);
    }
}
