//! What is said: the words of the command line, before them the text that stdin brings, and after them pictures.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use catgpt_core::memory::MAX_BODY;
use catgpt_core::{Content, Image, Result};

use crate::args::Ask;
use crate::exit::invalid;
use crate::notes::Notes;

/// How long a silent pipe is waited for before the user is told.
const HINT_AFTER: Duration = Duration::from_secs(2);

/// The whole message; `None` if nothing was said and nobody can be asked but a person at a terminal.
pub(crate) fn message(ask: &Ask, notes: Notes) -> Result<Option<Content>> {
    if ask.place.says_nothing() {
        return Ok(Some(Content::default()));
    }
    let images = ask.image.iter().map(|place| picture(place)).collect::<Result<Vec<_>>>()?;
    let prompt = ask.prompt.join(" ");
    let input = match source(ask.no_stdin)? {
        Some(file) => read(file, notes)?,
        None => String::new(),
    };
    let text = join(input, &prompt);
    if !text.trim().is_empty() || !images.is_empty() {
        return Ok(Some(images.into_iter().fold(Content::from(text), Content::image)));
    }
    if ask.prompt.is_empty() && io::stdin().is_terminal() {
        return Ok(None);
    }
    Err(invalid("there is nothing to say: give a prompt, or text on stdin"))
}

/// A picture from the web, which the model's provider fetches, or a file's bytes.
fn picture(place: &str) -> Result<Image> {
    let on_the_web = ["https:", "http:", "data:"].iter().any(|scheme| place.starts_with(scheme));
    if on_the_web { Ok(Image::new(place)) } else { Image::load(place) }
}

/// Stdin, if it is something that brings text: a file, a pipe or a socket. A terminal and `/dev/null` are not.
fn source(no_stdin: bool) -> Result<Option<File>> {
    if no_stdin {
        return Ok(None);
    }
    let unreadable = |error: io::Error| invalid("stdin cannot be read; say --no-stdin").caused_by(error);
    let file = File::from(io::stdin().as_fd().try_clone_to_owned().map_err(unreadable)?);
    let kind = file.metadata().map_err(unreadable)?.file_type();
    Ok((kind.is_file() || kind.is_fifo() || kind.is_socket()).then_some(file))
}

/// Reads to the end, however late it comes.
fn read(file: File, notes: Notes) -> Result<String> {
    let mut input = Hinted { input: file, silent: Some(hint(notes)) };
    let mut bytes = Vec::new();
    let limit = MAX_BODY as u64;
    let read = input.by_ref().take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|error| invalid("stdin cannot be read; say --no-stdin").caused_by(error))?;
    if bytes.len() as u64 > limit {
        let sentence = format!("stdin brings more than the {limit} bytes that a message may have; send it in parts");
        return Err(invalid(sentence));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        invalid("stdin is not UTF-8 text; convert it first, for example with iconv").with("byte", at)
    })
}

/// A reader that takes back the promise of a hint with the first byte.
struct Hinted<R> {
    input: R,
    silent: Option<Sender<()>>,
}

impl<R: Read> Read for Hinted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer);
        self.silent = None;
        read
    }
}

/// Tells the user why nothing happens, unless the sender is dropped soon.
fn hint(notes: Notes) -> Sender<()> {
    let (silent, heard) = mpsc::channel();
    thread::spawn(move || {
        if heard.recv_timeout(HINT_AFTER) == Err(RecvTimeoutError::Timeout) {
            notes.say("waiting for the end of stdin; say --no-stdin if it brings nothing");
        }
    });
    silent
}

/// The input stays as it came; a blank line stands between it and the prompt.
fn join(mut input: String, prompt: &str) -> String {
    if !input.is_empty() && !prompt.is_empty() {
        input.push_str(if input.ends_with('\n') { "\n" } else { "\n\n" });
    }
    input.push_str(prompt);
    input
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
            assert_eq!(join(input.to_owned(), prompt), whole);
        }
    }
}
