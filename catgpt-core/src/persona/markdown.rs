//! Persona files: TOML front matter between `+++` lines, then the system prompt.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Example, Persona, template};
use crate::error::{Error, Result};
use crate::model::Params;

/// The front matter. A key that is not known is a typo.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Front {
    name: String,
    #[serde(default = "super::first_version")]
    version: u32,
    greeting: Option<String>,
    #[serde(default)]
    params: Params,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    examples: Vec<Example>,
}

pub(super) fn parse(text: &str) -> Result<Persona> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let (front, body) = split(&text)?;
    let Front { name, version, greeting, params, variables, examples } =
        toml::from_str(front).map_err(|error| explain(&error, front))?;
    // Here and not only in `validate`, because lines are counted from the top of the file.
    let system = body.trim();
    let above = text.len() - body.len() + (body.len() - body.trim_start().len());
    template::parse(system, 1 + text[..above].matches('\n').count())?;
    let persona = Persona { name, version, system: system.to_owned(), variables, params, greeting, examples };
    persona.validate()?;
    Ok(persona)
}

fn split(text: &str) -> Result<(&str, &str)> {
    let fence = |line: &str| line.trim_end() == "+++";
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    if !fence(first) {
        let error = Error::invalid("a persona begins with a line +++, then name = \"…\", another +++ and the prompt");
        return Err(error.with("line", 1));
    }
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if fence(line) {
            return Ok((&rest[..at], &rest[at + line.len()..]));
        }
        at += line.len();
    }
    Err(Error::invalid("end the persona's settings with a line +++").with("line", 1 + text.lines().count()))
}

fn explain(error: &toml::de::Error, front: &str) -> Error {
    let before = error.span().map_or(front, |span| &front[..span.start.min(front.len())]);
    // The front matter begins on line 2.
    let line = 2 + before.matches('\n').count();
    Error::invalid(format!("the persona's settings: {}", error.message())).with("line", line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    const PIRATE: &str = r#"+++
name = "pirate"
version = 2
greeting = "Arr!"

[params]
temperature = 0.9

[variables]
ship = "Black Cat"

[[examples]]
user = "Hi"
assistant = "Ahoy!"
+++

You sail on the {{ ship }}.
"#;

    #[test]
    fn a_file_holds_everything() {
        let pirate = parse(PIRATE).unwrap();
        assert_eq!((pirate.name.as_str(), pirate.version), ("pirate", 2));
        assert_eq!(pirate.greeting.as_deref(), Some("Arr!"));
        assert_eq!(pirate.params.temperature, Some(0.9));
        assert_eq!(pirate.examples, [Example { user: "Hi".into(), assistant: "Ahoy!".into() }]);
        assert_eq!(pirate.render(&BTreeMap::new()).unwrap(), "You sail on the Black Cat.");
    }

    #[test]
    fn editors_of_all_systems_are_welcome() {
        let windows = format!("\u{feff}{}", PIRATE.replace('\n', "\r\n"));
        assert_eq!(parse(&windows).unwrap(), parse(PIRATE).unwrap());
        assert_eq!(parse("+++\nname='a'\n+++\nHi").unwrap().version, 1);
    }

    #[test]
    fn errors_say_where_and_what_to_do() {
        let table = [
            ("You are a cat.", "1", "begins with a line +++"),
            ("", "1", "begins with a line +++"),
            ("+++\nname = \"a\"\n", "3", "end the persona's settings"),
            ("+++\nname = \"a\"\nnmae = 1\n+++\nHi", "3", "nmae"),
            ("+++\nname = \"a\"\nversion = \"x\"\n+++\nHi", "3", "u32"),
            ("+++\nname = \"a\n+++\nHi", "2", "settings"),
            ("+++\nname = \"a\"\n[params]\ntemprature = 1\n+++\nHi", "4", "temprature"),
            ("+++\nversion = 1\n+++\nHi", "2", "name"),
            ("+++\nname = \"a\"\n+++\n\nHi\n{{ you\n", "6", "close the variable"),
        ];
        for (text, line, says) in table {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(error.context("line"), Some(line), "{text:?}: {error}");
            assert!(error.message().contains(says), "{text:?}: {error}");
        }
    }

    #[test]
    fn bad_values_name_their_field() {
        let table = [
            ("+++\nname = \"A B\"\n+++\nHi", "name"),
            ("+++\nname = \"a\"\n+++\n\n \n", "system"),
            ("+++\nname = \"a\"\nversion = 0\n+++\nHi", "version"),
            ("+++\nname = \"a\"\n[params]\ntemperature = 3\n+++\nHi", "params.temperature"),
            ("+++\nname = \"a\"\n[params]\ntop_p = nan\n+++\nHi", "params.top_p"),
            ("+++\nname = \"a\"\n[params]\nmax_tokens = 0\n+++\nHi", "params.max_tokens"),
            ("+++\nname = \"a\"\n[params]\nstop = [\"\"]\n+++\nHi", "params.stop"),
            ("+++\nname = \"a\"\n[variables]\n\"a b\" = \"c\"\n+++\nHi", "variables"),
        ];
        for (text, field) in table {
            assert_eq!(parse(text).unwrap_err().context("field"), Some(field), "{text}");
        }
    }
}
