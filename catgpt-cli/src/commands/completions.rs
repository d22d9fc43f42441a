//! `catgpt completions`: what a shell needs to complete words, and the manual. The scripts of bash, zsh and fish ask
//! `catgpt __complete` for all that can stand at the end of a line, chats, personas and models too.

mod line;
mod values;

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::CommandFactory;
use clap_complete::engine::complete as candidates;
use clap_complete::{Shell, generate};

use crate::args::{Cli, Common, Completions, Given, Target};
use crate::exit::{Exit, Failure, invalid};
use crate::out::Out;

pub(crate) fn completions(options: &Completions) -> Result<Exit, Failure> {
    if let Some(folder) = &options.folder {
        if options.target != Target::Man {
            return Err(invalid("only the manual is written into a folder: catgpt completions man FOLDER").into());
        }
        return manual(folder);
    }
    let mut text = Vec::new();
    match options.target {
        Target::Bash => text.extend(include_bytes!("completions/catgpt.bash")),
        Target::Zsh => text.extend(include_bytes!("completions/catgpt.zsh")),
        Target::Fish => text.extend(include_bytes!("completions/catgpt.fish")),
        Target::Powershell => generate(Shell::PowerShell, &mut Cli::command(), "catgpt", &mut text),
        Target::Elvish => generate(Shell::Elvish, &mut Cli::command(), "catgpt", &mut text),
        Target::Man => clap_mangen::Man::new(Cli::command()).render(&mut text)?,
    }
    let mut out = Out::stdout();
    let done = out.to.write_all(&text).map(|()| Exit::Ok).map_err(Failure::from);
    out.end(done)
}

/// A page for each command.
fn manual(folder: &Path) -> Result<Exit, Failure> {
    let unwritten = |error: io::Error| {
        invalid("the manual cannot be written: name another folder").with("path", folder.display()).caused_by(error)
    };
    fs::create_dir_all(folder).map_err(unwritten)?;
    clap_mangen::generate_to(Cli::command(), folder).map_err(unwritten)?;
    Ok(Exit::Ok)
}

/// Writes what can stand at the end of the line, one a line, with what it is after a tab. Whatever goes wrong, nothing
/// is told: somebody is typing.
pub(crate) fn complete(given: Given, common: &Common) -> Result<Exit, Failure> {
    let (words, quote, keep) = match &given.line {
        Some(part) => {
            let (words, quote) = line::words(given.words.first().map_or("", String::as_str));
            let last = words.last().map_or("", String::as_str);
            // bash replaces only what follows the last : or = or @.
            let keep = last.len() - if last.ends_with(part.as_str()) { part.len() } else { last.len() };
            (words, quote, keep)
        }
        None => (given.words, None, 0),
    };
    let index = words.len().saturating_sub(1);
    let mut command = values::offered(Cli::command(), &words, common);
    let words = words.into_iter().map(Into::into).collect();
    let mut out = Out::stdout();
    for candidate in candidates(&mut command, words, index, Some(Path::new("."))).unwrap_or_default() {
        let Some(value) = candidate.get_value().to_str().and_then(|value| value.get(keep..)) else { continue };
        let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let clean = |text: &str| text.lines().next().unwrap_or_default().replace(char::is_control, " ");
        let value = if given.line.is_some() { line::escaped(value, quote) } else { clean(value) };
        if writeln!(out.to, "{value}\t{}", clean(&help)).is_err() {
            break;
        }
    }
    let _ = out.end(Ok(Exit::Ok));
    Ok(Exit::Ok)
}
