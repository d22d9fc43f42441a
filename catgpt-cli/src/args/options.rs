//! Values of options that have a form of their own: `-o K=V` and `-x=WHICH`.

use std::str::FromStr;

use catgpt_core::Params;

/// One `-o K=V`; an empty V takes the option back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    key: Key,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Temperature,
    TopP,
    MaxTokens,
    Seed,
    Stop,
}

const KEYS: [(&str, Key); 5] = [
    ("temperature", Key::Temperature),
    ("top_p", Key::TopP),
    ("max_tokens", Key::MaxTokens),
    ("seed", Key::Seed),
    ("stop", Key::Stop),
];

impl Setting {
    /// What `params` become with all of these. Several stops are all meant.
    pub(crate) fn apply(all: &[Self], mut params: Params) -> Params {
        if all.iter().any(|setting| setting.key == Key::Stop) {
            params.stop.clear();
        }
        for setting in all {
            // It was read before, so it can be read again.
            let _ = setting.set(&mut params);
        }
        params
    }

    fn set(&self, params: &mut Params) -> Result<(), &'static str> {
        let value = self.value.as_str();
        match self.key {
            Key::Temperature => params.temperature = read(value, "temperature takes a number from 0 to 2")?,
            Key::TopP => params.top_p = read(value, "top_p takes a number from 0 to 1")?,
            Key::MaxTokens => params.max_tokens = read(value, "max_tokens takes a whole number from 1")?,
            Key::Seed => params.seed = read(value, "seed takes a whole number")?,
            Key::Stop if value.is_empty() => params.stop.clear(),
            Key::Stop => params.stop.push(value.to_owned()),
        }
        Ok(())
    }
}

fn read<T: FromStr>(value: &str, rule: &'static str) -> Result<Option<T>, &'static str> {
    if value.is_empty() { Ok(None) } else { value.parse().map(Some).map_err(|_| rule) }
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = || KEYS.map(|(name, _)| name).join(", ");
        let (name, value) =
            text.split_once('=').ok_or_else(|| format!("K=V is expected, where K is one of {}", known()))?;
        let name = name.trim();
        let Some((_, key)) = KEYS.iter().find(|(known, _)| *known == name) else {
            return Err(format!("there is no option {}; there are {}", name.escape_debug(), known()));
        };
        // A stop may be white space; a number has none around it.
        let value = if *key == Key::Stop { value } else { value.trim() };
        let setting = Self { key: *key, value: value.to_owned() };
        let mut params = Params::default();
        setting.set(&mut params).map_err(str::to_owned)?;
        params.validate().map_err(|error| error.message().to_owned())?;
        Ok(setting)
    }
}

/// Which code block of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// From 1.
    Nth(usize),
    Last,
}

impl FromStr for Block {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "first" => Ok(Self::Nth(1)),
            "last" => Ok(Self::Last),
            _ => match text.parse() {
                Ok(n) if n > 0 => Ok(Self::Nth(n)),
                _ => Err("`first`, `last` or a number from 1 is expected"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(words: &[&str], params: Params) -> Params {
        let settings: Vec<Setting> = words.iter().map(|word| word.parse().unwrap()).collect();
        Setting::apply(&settings, params)
    }

    #[test]
    fn options_are_set_and_taken_back() {
        let words = ["temperature=0.5", "top_p= 1 ", "max_tokens=9", "seed=-1", "stop=\n", "stop=a=b"];
        let all = applied(&words, Params::default());
        let stop = vec!["\n".to_owned(), "a=b".to_owned()];
        let whole = Params { temperature: Some(0.5), top_p: Some(1.0), max_tokens: Some(9), stop, seed: Some(-1) };
        assert_eq!(all, whole);
        assert_eq!(applied(&["stop=c"], all.clone()).stop, ["c"]);
        let none = applied(&["temperature=", "top_p=", "max_tokens=", "seed=", "stop="], all);
        assert_eq!(none, Params::default());
    }

    #[test]
    fn what_no_model_takes_is_refused_and_the_option_named() {
        for word in ["temperature=3", "temperature=NaN", "temperature=warm", "top_p=-1", "max_tokens=0", "seed=1.5"] {
            let error = word.parse::<Setting>().unwrap_err();
            assert!(error.contains(word.split('=').next().unwrap()), "{word}: {error}");
        }
        for word in ["temperature", "", "=1", "top_k=4", "Temperature=1"] {
            assert!(word.parse::<Setting>().unwrap_err().contains("max_tokens"), "{word}");
        }
    }

    #[test]
    fn blocks_are_counted_from_one() {
        assert_eq!(
            ["first", "1", "last", "12"].map(|text| text.parse::<Block>().unwrap()),
            [Block::Nth(1), Block::Nth(1), Block::Last, Block::Nth(12)]
        );
        for text in ["0", "", "-1", "second"] {
            assert!(text.parse::<Block>().is_err(), "{text}");
        }
    }
}
