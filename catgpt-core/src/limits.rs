//! How much owners may use: limits, what a turn reserves of them before it begins, and what is put right after it. Plain
//! data and pure rules; who is counted where is decided here, races are decided by the store.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::id::Owner;
use crate::memory::limits::began;
use crate::memory::{Counter, CounterId, Reserved, Settle, Unit, milliseconds};
use crate::message::Usage;

/// The longest name of a limit and the longest value of a key, in bytes.
const MAX_NAME: usize = 256;

/// The times that [`Limit::rate`] knows, and how many seconds they have.
const SPANS: [(&str, &str, u64); 4] =
    [("second", "a", 1), ("minute", "a", 60), ("hour", "an", 3_600), ("day", "a", 86_400)];

/// So much may be used in a window of time.
///
/// Windows begin at multiples of their length since 1970 (a day's at midnight, UTC), each with nothing used. A turn may
/// begin while less than `max` is used; it reserves what it may use at most, and once it has ended what it did use is
/// counted instead. So a limit is overrun by one turn at most, however many begin at once.
///
/// ```
/// use std::time::Duration;
/// use catgpt_core::{Limit, memory::Unit};
///
/// let day = Limit::new("daily tokens", Unit::Tokens, 100_000, Duration::from_secs(86_400));
/// let rate = Limit::new("rate", Unit::Turns, 10, Duration::from_secs(60)).per_key("ip");
/// # let _ = (day, rate);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Its name, by which it is counted and refused. One that is given another window begins anew.
    pub name: String,
    /// Whose use is counted together.
    #[serde(default)]
    pub per: Per,
    /// What is counted.
    pub unit: Unit,
    /// How much of it may be used; of cost, in millionths of the unit of the [prices](crate::Prices).
    pub max: u64,
    /// In how long.
    #[serde(rename = "window_ms", with = "milliseconds")]
    pub window: Duration,
}

/// Whose use a [`Limit`] counts together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Each owner's by itself.
    #[default]
    Owner,
    /// That of all sends with the same value of this key: see [`Send::limit_key`](crate::Send::limit_key).
    Key(String),
    /// That of all together.
    Everyone,
}

/// The values of keys that limits count by: `ip` → an address.
pub type LimitKeys = BTreeMap<String, String>;

impl Limit {
    /// A limit for each owner by itself.
    pub fn new(name: impl Into<String>, unit: Unit, max: u64, window: Duration) -> Self {
        Self { name: name.into(), per: Per::Owner, unit, max, window }
    }

    /// So much of a thing in a time, as people write it: `20/minute`, `10 per hour`, `200000 tokens a day`. Turns are
    /// counted unless it says `tokens` or `cost`, by each owner. The name is the thing's with its time: `messages a minute`.
    ///
    /// ```
    /// use catgpt_core::Limit;
    /// let rate = Limit::rate("messages", "20/minute")?.per_key("ip");
    /// assert_eq!((rate.name.as_str(), rate.max), ("messages a minute", 20));
    /// # Ok::<(), catgpt_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for what cannot be read.
    pub fn rate(thing: &str, text: &str) -> Result<Self> {
        let text = text.replace('/', " per ");
        let mut words = text.split_whitespace();
        let max = words.next().filter(|max| max.bytes().all(|byte| byte.is_ascii_digit()));
        let max = max.and_then(|max| max.parse().ok());
        let (unit, per) = match words.next() {
            Some("turns" | "turn") => (Unit::Turns, words.next()),
            Some("tokens" | "token") => (Unit::Tokens, words.next()),
            Some("cost") => (Unit::Cost, words.next()),
            per => (Unit::Turns, per),
        };
        let span = words.next().and_then(|span| SPANS.iter().find(|(name, ..)| *name == span));
        match (max, per, span, words.next()) {
            (Some(max), Some("per" | "a" | "an"), Some((span, a, seconds)), None) => {
                Ok(Self::new(format!("{thing} {a} {span}"), unit, max, Duration::from_secs(*seconds)))
            }
            _ => Err(Error::invalid(
                "write a limit like `20/minute` or `200000 tokens a day`: so many a second, minute, hour or day",
            )),
        }
    }

    /// The same, counted by a key that each send says: an address, an API key, a tenant.
    #[must_use]
    pub fn per_key(self, key: impl Into<String>) -> Self {
        Self { per: Per::Key(key.into()), ..self }
    }

    /// The same, counted for all owners together.
    #[must_use]
    pub fn everyone(self) -> Self {
        Self { per: Per::Everyone, ..self }
    }

    /// Whose counter it is. An owner's is under the owner's name, so that it goes with the owner.
    fn whose(&self, owner: &Owner, keys: &LimitKeys) -> Result<String> {
        match &self.per {
            Per::Owner => Ok(owner.as_str().to_owned()),
            Per::Everyone => Ok(String::new()),
            Per::Key(key) => match keys.get(key) {
                Some(value) if !value.is_empty() && value.len() <= MAX_NAME => Ok(format!("{key}={value}")),
                Some(_) => {
                    Err(Error::invalid(format!("the value of a limit's key must be 1 to {MAX_NAME} bytes long")))
                }
                None => {
                    Err(Error::invalid("a limit counts by a key that this send does not say: give its `limit_key`"))
                }
            }
            .map_err(|error| error.with("limit", &self.name).with("key", key)),
        }
    }

    /// Where it is looked up; `None` if it counts by a key that is not given.
    pub(crate) fn id(&self, owner: &Owner, keys: &LimitKeys) -> Option<CounterId> {
        let key = self.whose(owner, keys).ok()?;
        Some(CounterId { name: self.name.clone(), key, window: self.window })
    }

    /// How it is, when so much is used.
    pub(crate) fn state(&self, used: u64, now_ms: i64) -> LimitState {
        let window_ms = u64::try_from(self.window.as_millis()).unwrap_or(u64::MAX).max(1);
        let length = i64::try_from(window_ms).unwrap_or(i64::MAX);
        let resets_ms = began(self.window, now_ms).saturating_add(length);
        let Self { name, per, unit, max, .. } = self.clone();
        LimitState { name, per, unit, used, max, window_ms, resets_ms }
    }
}

/// Whether these limits can be kept together.
pub(crate) fn check(limits: &[Limit]) -> Result<()> {
    let mut names = HashSet::new();
    limits.iter().try_for_each(|limit| {
        let wrong = |text: &'static str| Err(Error::invalid(text).with("limit", limit.name.escape_debug()));
        match limit {
            Limit { name, .. } if name.is_empty() || name.len() > MAX_NAME || name.contains(char::is_control) => {
                wrong("the name of a limit must be 1 to 256 bytes long, without control characters")
            }
            Limit { window, .. } if *window < Duration::from_millis(1) => {
                wrong("the window of a limit must be a millisecond long at least")
            }
            Limit { name, .. } if !names.insert(name) => wrong("two limits have the same name: give each its own"),
            _ => Ok(()),
        }
    })
}

/// What a turn may use at most.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Most {
    pub(crate) tokens: u64,
    /// `None` if the model has no price.
    pub(crate) cost: Option<u64>,
}

/// What a turn must find and reserves. A limit that cannot be counted is an error: nothing is silently unlimited.
pub(crate) fn reserve(limits: &[Limit], owner: &Owner, keys: &LimitKeys, most: Most) -> Result<Vec<Counter>> {
    let counter = |limit: &Limit| {
        let priceless = "a limit counts cost, and this model has no price: give the engine one, perhaps for `*`";
        let add = match limit.unit {
            Unit::Turns => 1,
            Unit::Tokens => most.tokens,
            Unit::Cost => most.cost.ok_or_else(|| Error::invalid(priceless).with("limit", &limit.name))?,
        };
        let Limit { name, unit, max, window, .. } = limit.clone();
        let key = limit.whose(owner, keys)?;
        // All of a limit keeps every other turn out, so more than that need not be reserved.
        Ok(Counter { name, key, window, add: add.min(max), limit: max, unit })
    };
    limits.iter().map(counter).collect()
}

/// What was reserved with these counters, at this time.
pub(crate) fn reserved(counters: Vec<Counter>, at_ms: i64) -> Vec<Reserved> {
    let reserved = |counter: Counter| {
        let Counter { name, key, window, add, unit, .. } = counter;
        Reserved { name, key, start_ms: began(window, at_ms), add, unit }
    };
    counters.into_iter().map(reserved).collect()
}

/// What becomes of a reservation when its turn has ended, however it did. Turns stay counted; tokens and cost become what
/// was used. Where the cost is not known (a process without prices ends the turn of another) what was reserved stays.
pub(crate) fn settle(reserved: &[Reserved], usage: &Usage, cost: Option<u64>) -> Vec<Settle> {
    let settle = |reserved: &Reserved| {
        let used = match reserved.unit {
            Unit::Turns => return None,
            Unit::Tokens => usage.input_tokens.saturating_add(usage.output_tokens),
            Unit::Cost => cost?,
        };
        let by = i64::try_from(i128::from(used) - i128::from(reserved.add)).unwrap_or(i64::MAX);
        let Reserved { name, key, start_ms, .. } = reserved.clone();
        (by != 0).then_some(Settle { name, key, start_ms, by })
    };
    reserved.iter().filter_map(settle).collect()
}

/// A [`Limit`] and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitState {
    /// Its name.
    pub name: String,
    /// Whose use it counts.
    pub per: Per,
    /// What it counts.
    pub unit: Unit,
    /// What is used in this window, and reserved by turns that run.
    pub used: u64,
    /// How much may be.
    pub max: u64,
    /// How long a window is, in milliseconds.
    pub window_ms: u64,
    /// When the next window begins, in milliseconds since 1970.
    pub resets_ms: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn limits() -> [Limit; 4] {
        [
            Limit::new("turns", Unit::Turns, 10, DAY),
            Limit::new("tokens", Unit::Tokens, 1_000, DAY),
            Limit::new("cost", Unit::Cost, 500, DAY).everyone(),
            Limit::new("rate", Unit::Turns, 3, Duration::from_secs(60)).per_key("ip"),
        ]
    }

    fn ann() -> Owner {
        Owner::new("ann").unwrap()
    }

    fn keys() -> LimitKeys {
        [("ip".to_owned(), "192.0.2.1".to_owned())].into()
    }

    fn usage(input_tokens: u64, output_tokens: u64) -> Usage {
        Usage { input_tokens, output_tokens, ..Usage::default() }
    }

    fn reserved(unit: Unit, add: u64) -> Reserved {
        Reserved { name: "x".into(), key: "ann".into(), start_ms: 7, add, unit }
    }

    #[test]
    fn a_turn_reserves_one_turn_and_at_most_all_of_a_limit() {
        let counters = reserve(&limits(), &ann(), &keys(), Most { tokens: 700, cost: Some(9_999) }).unwrap();
        let seen: Vec<_> = counters.iter().map(|counter| (counter.key.as_str(), counter.add, counter.limit)).collect();
        assert_eq!(seen, [("ann", 1, 10), ("ann", 700, 1_000), ("", 500, 500), ("ip=192.0.2.1", 1, 3)]);
    }

    #[test]
    fn what_cannot_be_counted_is_refused() {
        let refused = |keys: LimitKeys, cost| {
            reserve(&limits(), &ann(), &keys, Most { tokens: 1, cost }).unwrap_err().to_string()
        };
        assert!(refused(LimitKeys::new(), Some(1)).contains("(limit: rate) (key: ip)"));
        assert!(refused([("ip".to_owned(), String::new())].into(), Some(1)).contains("1 to 256 bytes"));
        assert!(refused(keys(), None).contains("no price"));
    }

    #[test]
    fn limits_that_cannot_be_kept_are_refused() {
        let [turns, ..] = limits();
        assert!(check(&limits()).is_ok());
        let none = Duration::ZERO;
        for wrong in [
            vec![turns.clone(), turns.clone()],
            vec![Limit { name: String::new(), ..turns.clone() }],
            vec![Limit { name: "a\nb".into(), ..turns.clone() }],
            vec![Limit { window: none, ..turns }],
        ] {
            assert!(check(&wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_was_used_takes_the_place_of_what_was_reserved() {
        let all = [reserved(Unit::Turns, 1), reserved(Unit::Tokens, 100), reserved(Unit::Cost, 40)];
        let by = |usage, cost| settle(&all, &usage, cost).iter().map(|settle| settle.by).collect::<Vec<_>>();
        assert_eq!(by(usage(60, 10), Some(25)), [-30, -15]);
        assert_eq!(by(usage(90, 30), Some(70)), [20, 30]);
        assert!(by(usage(60, 40), Some(40)).is_empty());
        assert_eq!(by(usage(0, 0), None), [-100], "who knows no prices leaves the cost reserved");
        assert_eq!(settle(&[reserved(Unit::Tokens, 0)], &usage(u64::MAX, 1), None)[0].by, i64::MAX);
    }

    #[test]
    fn a_window_ends_at_a_multiple_of_its_length() {
        let [turns, ..] = limits();
        let state = turns.state(4, 86_400_000 * 3 + 5);
        assert_eq!((state.used, state.max, state.window_ms, state.resets_ms), (4, 10, 86_400_000, 86_400_000 * 4));
        assert!(Limit { window: Duration::MAX, ..turns }.state(0, 5).resets_ms > 5);
    }

    #[test]
    fn they_are_plain_data() {
        let json = r#"{"name":"rate","per":{"key":"ip"},"unit":"turns","max":3,"window_ms":60000}"#;
        let [.., rate] = limits();
        assert_eq!(serde_json::from_str::<Limit>(json).unwrap(), rate);
        assert_eq!(serde_json::to_string(&rate).unwrap(), json);
        let short = r#"{"name":"a","unit":"cost","max":3,"window_ms":1}"#;
        assert_eq!(serde_json::from_str::<Limit>(short).unwrap().per, Per::Owner);
    }

    proptest! {
        /// Whatever was reserved and used, a counter ends at what was used.
        #[test]
        fn nothing_is_counted_twice(turns in prop::collection::vec((0u64..5_000, 0u64..3_000, 0u64..3_000), 0..20), max in 1u64..3_000) {
            let limit = [Limit::new("tokens", Unit::Tokens, max, DAY)];
            let (mut count, mut used) = (0i64, 0);
            for (most, input, output) in turns {
                let counter = reserve(&limit, &ann(), &keys(), Most { tokens: most, cost: None }).unwrap().remove(0);
                count += i64::try_from(counter.add).unwrap();
                count += settle(&[reserved(Unit::Tokens, counter.add)], &usage(input, output), None).iter().map(|settle| settle.by).sum::<i64>();
                used += i64::try_from(input + output).unwrap();
            }
            prop_assert_eq!(count, used);
        }
    }
}
