//! What stdin brings: bytes to their end, however late they come.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use catgpt_core::memory::MAX_BODY;
use catgpt_core::{Error, Image, Result};

use crate::exit::invalid;
use crate::notes::Notes;

/// How long a silent pipe is waited for before the user is told.
const HINT_AFTER: Duration = Duration::from_secs(2);

/// The text of stdin, if it is something that brings text: a file, a pipe or a socket. A terminal and `/dev/null` are
/// not.
pub(crate) fn text(notes: Notes) -> Result<Option<String>> {
    let file = File::from(io::stdin().as_fd().try_clone_to_owned().map_err(unreadable)?);
    let kind = file.metadata().map_err(unreadable)?.file_type();
    if !(kind.is_file() || kind.is_fifo() || kind.is_socket()) {
        return Ok(None);
    }
    let bytes = read(file, notes)?;
    if Image::from_bytes(&bytes).is_ok() {
        return Err(invalid("stdin brings a picture: say --file - to show it"));
    }
    utf8(bytes, "stdin").map(Some)
}

/// All that stdin brings, whatever it is: it was named.
pub(crate) fn bytes(notes: Notes) -> Result<Vec<u8>> {
    read(io::stdin(), notes)
}

/// Text, as it came.
pub(crate) fn utf8(bytes: Vec<u8>, name: &str) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let sentence = format!("{name} is not UTF-8 text; convert it first, for example with iconv");
        invalid(sentence).with("byte", at)
    })
}

/// What is larger than any message is refused, and never cut.
pub(crate) fn bounded(input: impl Read, name: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = MAX_BODY as u64;
    input.take(limit + 1).read_to_end(&mut bytes).map_err(|error| unread(name, error))?;
    if bytes.len() as u64 > limit {
        let sentence = format!("{name} brings more than the {limit} bytes that a message may have; send it in parts");
        return Err(invalid(sentence));
    }
    Ok(bytes)
}

fn read(input: impl Read, notes: Notes) -> Result<Vec<u8>> {
    bounded(Hinted { input, silent: Some(hint(notes)) }, "stdin")
}

fn unread(name: &str, error: io::Error) -> Error {
    if name == "stdin" { unreadable(error) } else { invalid(format!("{name} cannot be read")).caused_by(error) }
}

fn unreadable(error: io::Error) -> Error {
    invalid("stdin cannot be read; say --no-stdin").caused_by(error)
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
