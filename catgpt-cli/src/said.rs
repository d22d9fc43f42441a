//! What is said: files, then the text of stdin, then the words of the command line, and pictures.

use std::collections::BTreeMap;
use std::fs::File;

use catgpt_core::{Content, Image, Persona, Result};

use crate::args::Ask;
use crate::exit::invalid;
use crate::notes::Notes;
use crate::stdin;

/// What is said, and to whom.
#[derive(Debug)]
pub(crate) struct Said {
    /// Nothing if an answer is wanted anew, or gone on with.
    pub(crate) content: Content,
    /// Who answers from now on, if somebody else than before.
    pub(crate) persona: Option<Persona>,
}

/// The name under which a persona's prompt takes the text of stdin.
const INPUT: &str = "input";

impl Said {
    /// The whole message; `None` if nothing was said and nobody can be asked but a person at a terminal.
    pub(crate) fn read(ask: &Ask, mut persona: Option<Persona>, notes: Notes) -> Result<Option<Self>> {
        if ask.place.says_nothing() {
            return Ok(Some(Self { content: Content::default(), persona }));
        }
        let (mut blocks, mut images) = (Vec::new(), Vec::new());
        for path in &ask.files {
            match file(path, notes)? {
                Brought::Text(text) => blocks.push(named(path, &text)),
                Brought::Picture(image) => images.push(*image),
            }
        }
        for place in &ask.image {
            images.push(picture(place)?);
        }
        let silent = ask.no_stdin || ask.files.iter().any(|path| path == "-");
        let input = if silent { None } else { stdin::text(notes)? };
        if let Some(input) = input {
            match persona.as_mut().filter(|persona| takes_input(persona)) {
                Some(persona) => {
                    persona.variables.insert(INPUT.to_owned(), input);
                }
                None => blocks.push(input),
            }
        }
        let prompt = ask.prompt.join(" ");
        blocks.push(prompt);
        let text = join(blocks);
        if !text.trim().is_empty() || !images.is_empty() {
            return Ok(Some(Self { content: images.into_iter().fold(Content::from(text), Content::image), persona }));
        }
        if ask.prompt.is_empty() && notes.may_ask() {
            return Ok(None);
        }
        Err(match persona.is_some_and(|persona| persona.variables.contains_key(INPUT)) {
            true => invalid("the persona has taken what stdin brings: say something to it too"),
            false => invalid("there is nothing to say: give a prompt, or text on stdin"),
        })
    }
}

enum Brought {
    Text(String),
    Picture(Box<Image>),
}

/// Text, or a picture if its first bytes say so.
fn file(path: &str, notes: Notes) -> Result<Brought> {
    let name = name(path);
    let bytes = match path {
        "-" => stdin::bytes(notes)?,
        path if is_on_the_web(path) => {
            return Err(invalid("--file reads no URLs: fetch it first, and hand it over with --file -"));
        }
        path => {
            let file = File::open(path).map_err(|error| {
                invalid("a file of --file cannot be read").with("path", path.escape_debug()).caused_by(error)
            })?;
            stdin::bounded(file, &name)?
        }
    };
    match Image::from_bytes(&bytes) {
        Ok(image) => Ok(Brought::Picture(Box::new(image.alt(name)))),
        // It is one, but too large.
        Err(error) if error.context("bytes").is_some() => Err(error.with("path", name)),
        Err(_) if bytes.is_empty() => Err(invalid(format!("{name} is empty"))),
        Err(_) => stdin::utf8(bytes, &name).map(Brought::Text),
    }
}

fn name(path: &str) -> String {
    if path == "-" { "stdin".to_owned() } else { path.escape_debug().to_string() }
}

/// A picture from the web, which the model's provider fetches, or a file's bytes.
fn picture(place: &str) -> Result<Image> {
    if is_on_the_web(place) || place.starts_with("data:") { Ok(Image::new(place)) } else { Image::load(place) }
}

fn is_on_the_web(place: &str) -> bool {
    ["https:", "http:"].iter().any(|scheme| place.starts_with(scheme))
}

/// A file's text between fences that it does not have itself, under its name.
fn named(path: &str, text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{}:\n{fence}\n{text}{end}{fence}\n", name(path))
}

/// Whether the persona's prompt has a place for what stdin brings.
fn takes_input(persona: &Persona) -> bool {
    let mut persona = persona.clone();
    persona.variables.remove(INPUT);
    let mut filled = BTreeMap::new();
    // Each round names one variable that has no value yet.
    while let Err(error) = persona.render(&filled) {
        match error.context("variable") {
            Some(INPUT) => return true,
            Some(other) if filled.insert(other.to_owned(), String::new()).is_none() => {}
            _ => return false,
        }
    }
    false
}

/// Each as it came, with a blank line between two.
fn join(blocks: Vec<String>) -> String {
    blocks.into_iter().filter(|block| !block.is_empty()).fold(String::new(), |mut text, block| {
        if !text.is_empty() {
            text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
        }
        text + &block
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_line_stands_between_input_and_prompt() {
        for (input, prompt, whole) in [
            ("notes", "sum up", "notes\n\nsum up"),
            ("notes\n", "sum up", "notes\n\nsum up"),
            ("  notes\r\n\n", "", "  notes\r\n\n"),
            ("", "sum up", "sum up"),
        ] {
            assert_eq!(join(vec![input.to_owned(), prompt.to_owned()]), whole);
        }
    }

    #[test]
    fn a_file_stands_between_fences_that_are_longer_than_its_own() {
        assert_eq!(named("a.md", "x\n"), "a.md:\n```\nx\n```\n");
        assert_eq!(named("a b\n.md", "```\ny\n````"), "a b\\n.md:\n`````\n```\ny\n````\n`````\n");
        assert_eq!(named("-", ""), "stdin:\n```\n\n```\n");
    }

    #[test]
    fn a_persona_takes_input_where_its_prompt_says_so() {
        let takes = |system: &str| takes_input(&Persona::new("p", system).unwrap());
        assert!(takes("{{ input }}") && takes("{{name}}: {{other}} {{input}}"));
        assert!(!takes("input") && !takes("{{{{input}}") && !takes("{{inputs}}"));
        let mut persona = Persona::new("p", "{{input}}").unwrap();
        persona.variables.insert("input".into(), "nothing".into());
        assert!(takes_input(&persona));
    }
}
