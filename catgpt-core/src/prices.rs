//! What models cost, as the user of the library says: plain data, and the one sum that is made of it.
//!
//! No price is built in: they change more often than releases do, and a wrong one is worse than none.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::error::{Error, Result};
use crate::message::Usage;
use crate::protocol::Protocol;

/// A million: tokens of a price, and parts of its unit.
const MILLION: u64 = 1_000_000;

/// What a million tokens of a model cost, in millionths of the unit that you choose (of a dollar, say).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// Of the prompt.
    pub input: u64,
    /// Of the answer; reasoning is part of it.
    pub output: u64,
    /// Of the part of the prompt that came from the provider's cache; as the rest of it if nothing is said.
    pub cached: Option<u64>,
}

impl Price {
    /// The price as providers write it: so much of a unit for a million tokens of prompt, and of answer.
    ///
    /// # Errors
    /// `InvalidInput` for what is no price: negative, endless, or more than a billion.
    pub fn per_million(input: f64, output: f64) -> Result<Self> {
        Ok(Self { input: millionths(input)?, output: millionths(output)?, cached: None })
    }

    /// The same with a price for what came from the provider's cache.
    ///
    /// # Errors
    /// As [`per_million`](Self::per_million).
    pub fn cached(self, cached: f64) -> Result<Self> {
        Ok(Self { cached: Some(millionths(cached)?), ..self })
    }

    /// What this usage costs, in millionths of the unit, rounded up.
    pub fn of(&self, usage: &Usage) -> u64 {
        let cached = usage.cached_tokens.min(usage.input_tokens);
        let each = [
            (usage.input_tokens - cached, self.input),
            (cached, self.cached.unwrap_or(self.input)),
            (usage.output_tokens, self.output),
        ];
        let sum = each.iter().map(|&(tokens, price)| u128::from(tokens) * u128::from(price)).sum::<u128>();
        u64::try_from(sum.div_ceil(u128::from(MILLION))).unwrap_or(u64::MAX)
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and a billion millions")]
fn millionths(price: f64) -> Result<u64> {
    match (0.0..=1e9).contains(&price) {
        true => Ok((price * 1e6).round() as u64),
        false => Err(Error::invalid("a price is a number from 0 to a billion: what a million tokens cost")),
    }
}

/// As it stands in a file: `{"input": 0.15, "output": 0.6, "cached": 0.075}`.
impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            input: f64,
            output: f64,
            cached: Option<f64>,
        }
        let Written { input, output, cached } = Written::deserialize(from)?;
        let price = Self::per_million(input, output).and_then(|price| cached.map_or(Ok(price), |c| price.cached(c)));
        price.map_err(D::Error::custom)
    }
}

/// The prices of models, by name. A name that ends with `*` stands for all that begin so; the longest one counts, and a
/// whole name before all others.
///
/// A model costs the same whichever way it is named: `claude-*` is the price of `anthropic:claude-haiku-4-5` too, and
/// `anthropic:claude-*` that of `claude-haiku-4-5`, as replies call the model of an engine that has one. What is asked in
/// another protocol is not meant by it, and of two prices for one name the one counts that says the protocol as the name
/// does. `anthropic:*` is for names that begin with `anthropic:`, as others don't say whose they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Prices(BTreeMap<String, Price>);

impl Prices {
    /// No prices.
    pub fn new() -> Self {
        Self::default()
    }

    /// With the price of this model, or of all whose names begin so (`gpt-4o*`).
    #[must_use]
    pub fn with(mut self, model: impl Into<String>, price: Price) -> Self {
        self.0.insert(model.into(), price);
        self
    }

    /// The price of a model, if there is one and no other that fits as well.
    pub fn get(&self, model: &str) -> Option<&Price> {
        let (protocol, name) = Protocol::said(model);
        let ranked = self.0.iter().filter_map(|(known, price)| {
            let (of, known) = Protocol::said(known);
            let meant = of.is_none() || of == protocol || (protocol.is_none() && known != "*");
            let rank = rank(known, name).filter(|_| meant)?;
            Some(((rank, of == protocol), price))
        });
        let (best, price) = ranked.clone().max_by_key(|(rank, _)| *rank)?;
        // A wrong price is worse than none.
        ranked.clone().all(|(rank, other)| rank != best || other == price).then_some(price)
    }

    /// What a usage of this model costs, in millionths of the unit; `None` if its price is not known.
    pub fn cost(&self, model: &str, usage: &Usage) -> Option<u64> {
        self.get(model).map(|price| price.of(usage))
    }
}

/// Of what stands under names, the one that a model's name fits best: the whole name, else the longest beginning
/// (`gpt-4o*`).
pub(crate) fn best<'a, T>(all: impl Iterator<Item = (&'a str, T)>, model: &str) -> Option<T> {
    all.filter_map(|(name, it)| Some((rank(name, model)?, it))).max_by_key(|(rank, _)| *rank).map(|(_, it)| it)
}

/// How well a name fits a model's, if it does: a whole one best, then a longer beginning.
fn rank(name: &str, model: &str) -> Option<(bool, usize)> {
    let begins = name.strip_suffix('*').is_some_and(|begin| model.starts_with(begin));
    (begins || name == model).then_some((name == model, name.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn price(input: f64, output: f64) -> Price {
        Price::per_million(input, output).unwrap()
    }

    fn usage(input_tokens: u64, output_tokens: u64, cached_tokens: u64) -> Usage {
        Usage { input_tokens, output_tokens, cached_tokens, ..Usage::default() }
    }

    #[test]
    fn tokens_cost_what_the_list_says() {
        let mini = price(0.15, 0.60).cached(0.075).unwrap();
        assert_eq!(mini.of(&usage(1_000_000, 0, 0)), 150_000);
        assert_eq!(mini.of(&usage(1_000_000, 1_000_000, 1_000_000)), 75_000 + 600_000);
        assert_eq!(mini.of(&usage(1_000, 100, 400)), 90 + 30 + 60);
        assert_eq!(mini.of(&usage(1, 0, 0)), 1, "what costs something never costs nothing");
        assert_eq!(mini.of(&usage(0, 0, 0)), 0);
        assert_eq!(price(0.15, 0.60).of(&usage(1_000_000, 0, 500_000)), 150_000, "the cache has no price of its own");
        assert_eq!(mini.of(&usage(1, 0, 5)), 1, "a provider that counts oddly");
        assert_eq!(price(1e9, 1e9).of(&usage(u64::MAX, u64::MAX, 0)), u64::MAX);
    }

    #[test]
    fn a_reasoning_token_is_paid_once() {
        let thinking = Usage { reasoning_tokens: 90, ..usage(0, 100, 0) };
        assert_eq!(price(1.0, 10.0).of(&thinking), 1_000);
    }

    #[test]
    fn the_longest_beginning_counts_and_a_whole_name_before_it() {
        let prices = Prices::new()
            .with("*", price(9.0, 9.0))
            .with("gpt-4o*", price(2.0, 2.0))
            .with("gpt-4o-mini*", price(1.0, 1.0))
            .with("gpt-4o-mini", price(0.5, 0.5));
        let of = |model| prices.cost(model, &usage(1, 0, 0));
        assert_eq!(["gpt-4o-mini", "gpt-4o-mini-2024", "gpt-4o", "o3"].map(of), [Some(1), Some(1), Some(2), Some(9)]);
        assert_eq!(prices.get("gpt-4o-mini"), Some(&price(0.5, 0.5)));
        assert_eq!(Prices::new().with("gpt-4o", price(1.0, 1.0)).cost("gpt-4o-mini", &usage(1, 0, 0)), None);
    }

    #[test]
    fn a_model_costs_the_same_with_and_without_its_protocol() {
        let of = |prices: &Prices, model| prices.cost(model, &usage(1, 0, 0));
        let bare = Prices::new().with("claude-*", price(3.0, 3.0)).with("*", price(9.0, 9.0));
        assert_eq!(
            ["claude-x", "anthropic:claude-x", "anthropic:other"].map(|model| of(&bare, model)),
            [Some(3), Some(3), Some(9)]
        );
        let said = Prices::new().with("anthropic:claude-x", price(3.0, 3.0)).with("anthropic:*", price(9.0, 9.0));
        let known = ["anthropic:claude-x", "claude-x", "anthropic:other"].map(|model| of(&said, model));
        assert_eq!(known, [Some(3), Some(3), Some(9)]);
        // What does not say whose it is may be anybody's.
        assert_eq!(["responses:claude-x", "other"].map(|model| of(&said, model)), [None, None]);
        // The same name costs what is said of it in the same words.
        let both = bare.with("anthropic:claude-*", price(4.0, 4.0)).with("responses:claude-*", price(5.0, 5.0));
        let known =
            ["claude-x", "anthropic:claude-x", "responses:claude-x", "openai:claude-x"].map(|model| of(&both, model));
        assert_eq!(known, [Some(3), Some(4), Some(5), Some(3)]);
        let either = Prices::new().with("anthropic:a", price(4.0, 4.0)).with("responses:a", price(5.0, 5.0));
        assert_eq!(of(&either, "a"), None, "nobody knows which");
        let same = either.with("responses:a", price(4.0, 4.0));
        assert_eq!(of(&same, "a"), Some(4));
        // A colon is not always a protocol's.
        let local = Prices::new().with("llama3.2:*", price(1.0, 1.0));
        assert_eq!(["llama3.2:3b", "3b"].map(|model| of(&local, model)), [Some(1), None]);
    }

    #[test]
    fn they_are_read_from_files_and_what_is_wrong_is_refused() {
        let toml = "'gpt-4o*' = { input = 2.5, output = 10, cached = 1.25 }";
        let json = r#"{"gpt-4o*":{"input":2.5,"output":10,"cached":1.25}}"#;
        let want = Prices::new().with("gpt-4o*", price(2.5, 10.0).cached(1.25).unwrap());
        assert_eq!(toml::from_str::<Prices>(toml).unwrap(), want);
        assert_eq!(serde_json::from_str::<Prices>(json).unwrap(), want);
        for wrong in [r#"{"input":-1,"output":1}"#, r#"{"input":1}"#, r#"{"input":1,"output":1,"cache":1}"#] {
            assert!(serde_json::from_str::<Price>(wrong).is_err(), "{wrong}");
        }
        assert!(
            [f64::NAN, f64::INFINITY, -0.01, 1e10].into_iter().all(|wrong| Price::per_million(wrong, 1.0).is_err())
        );
    }

    proptest! {
        #[test]
        fn more_tokens_never_cost_less(a in 0u64..1 << 40, b in 0u64..1 << 40, more in 0u64..1 << 20, input in 0u64..1 << 40) {
            let price = Price { input, output: input / 2, cached: Some(input / 10) };
            prop_assert!(price.of(&usage(a + more, b, 0)) >= price.of(&usage(a, b, 0)));
            prop_assert!(price.of(&usage(a, b, a)) <= price.of(&usage(a, b, 0)));
        }
    }
}
