//! Where conversations come from, and in which format they are.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::{Progress, Take, chatgpt, jsonl, markdown, unreadable};
use crate::error::{Error, ErrorKind, Result};

/// How conversations are written where they come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ImportFormat {
    /// JSON Lines, as an export writes them.
    Jsonl,
    /// Markdown, as an export or a person writes it.
    Markdown,
    /// ChatGPT's export: its zip, the folder in it, or its `conversations.json`.
    #[serde(rename = "chatgpt")]
    ChatGpt,
    /// A SQLite database with the tables `chats` and `messages`.
    ChatDb,
}

/// Where conversations come from. The format is told from what is there, unless it is given.
pub struct Source {
    place: Place,
    format: Option<ImportFormat>,
}

enum Place {
    Path(PathBuf),
    Bytes(Vec<u8>),
    Reader(Box<dyn Read + Send>),
}

impl Source {
    /// A file, or the folder of an export.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self { place: Place::Path(path.into()), format: None }
    }

    /// The content of a file.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self { place: Place::Bytes(bytes.into()), format: None }
    }

    /// What comes out of a pipe: text in any of the formats, but neither a zip nor a database.
    pub fn reader(reader: impl Read + Send + 'static) -> Self {
        Self { place: Place::Reader(Box::new(reader)), format: None }
    }

    /// It is in this format, whatever it looks like.
    #[must_use]
    pub fn format(mut self, format: ImportFormat) -> Self {
        self.format = Some(format);
        self
    }

    /// Hands each conversation to `take`. Blocks.
    pub(super) fn read(self, meter: &Meter, take: &mut Take<'_>) -> Result<()> {
        match self.place {
            Place::Path(path) if path.is_dir() => match self.format {
                None | Some(ImportFormat::ChatGpt) => chatgpt::folder(&path, meter, take),
                Some(_) => Err(Error::invalid("this is a folder, and only an export of ChatGPT is one: name a file")),
            },
            // Closing any handle of a file drops the process's locks on it, SQLite's too. So one that a store has open
            // now, perhaps our own, is opened by SQLite alone.
            Place::Path(path) if is_open_store(&path) => database(Some(&path), meter, take),
            Place::Path(path) => {
                let open = || File::open(&path).map_err(|error| unopened(error, &path));
                meter.expect(open()?.metadata().map_or(0, |file| file.len()));
                seekable(open()?, Some(&path), self.format, meter, take)
            }
            Place::Bytes(bytes) => {
                meter.expect(bytes.len() as u64);
                seekable(Cursor::new(bytes), None, self.format, meter, take)
            }
            Place::Reader(mut reader) => {
                let head = head(&mut reader)?;
                let look = Look::at(&head, self.format);
                if let Look::Zip | Look::Database = look {
                    return Err(Error::invalid("this cannot be read from a pipe: name the file"));
                }
                text(look, &mut BufReader::new(meter.watch(Cursor::new(head).chain(reader))), take)
            }
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match &self.place {
            Place::Path(path) => path.display().to_string(),
            Place::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Place::Reader(_) => "a reader".to_owned(),
        };
        f.debug_struct("Source").field("place", &place).field("format", &self.format).finish()
    }
}

fn is_open_store(path: &Path) -> bool {
    let mut beside = path.as_os_str().to_owned();
    beside.push("-shm");
    Path::new(&beside).exists()
}

fn unopened(error: std::io::Error, path: &Path) -> Error {
    let (kind, text) = match error.kind() {
        std::io::ErrorKind::NotFound => (ErrorKind::NotFound, "there is no such file"),
        std::io::ErrorKind::PermissionDenied => (ErrorKind::InvalidInput, "this file may not be read"),
        _ => (ErrorKind::InvalidInput, "this file cannot be opened"),
    };
    Error::new(kind, text).with("path", path.display()).caused_by(error)
}

fn seekable<R: Read + Seek>(
    mut input: R,
    path: Option<&Path>,
    format: Option<ImportFormat>,
    meter: &Meter,
    take: &mut Take<'_>,
) -> Result<()> {
    let head = head(&mut input)?;
    input.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    match Look::at(&head, format) {
        Look::Zip => chatgpt::zip(BufReader::new(input), meter, take),
        Look::Database => database(path, meter, take),
        look => text(look, &mut BufReader::new(meter.watch(input)), take),
    }
}

#[cfg(feature = "sqlite")]
fn database(path: Option<&Path>, meter: &Meter, take: &mut Take<'_>) -> Result<()> {
    let path = path.ok_or_else(|| Error::invalid("a database cannot be read from memory: name the file"))?;
    super::chat_db::read(path, meter, take)
}

#[cfg(not(feature = "sqlite"))]
fn database(_: Option<&Path>, _: &Meter, _: &mut Take<'_>) -> Result<()> {
    Err(Error::new(ErrorKind::Unsupported, "this build reads no SQLite files: build it with the feature `sqlite`"))
}

fn text(look: Look, input: &mut dyn BufRead, take: &mut Take<'_>) -> Result<()> {
    match look {
        Look::Jsonl => jsonl::read(input, take),
        Look::ChatGpt => chatgpt::read(input, take),
        Look::Markdown | Look::Zip | Look::Database => markdown::read(input, take),
    }
}

/// The beginning of what is read, from which its format is told.
fn head(input: &mut impl Read) -> Result<Vec<u8>> {
    const LOOKED_AT: u64 = 4 << 10;
    let mut head = Vec::new();
    input.by_ref().take(LOOKED_AT).read_to_end(&mut head).map_err(unreadable)?;
    Ok(head)
}

/// What something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Zip,
    Database,
    Jsonl,
    ChatGpt,
    Markdown,
}

impl Look {
    fn at(head: &[u8], format: Option<ImportFormat>) -> Self {
        let zip = head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06");
        match format {
            Some(ImportFormat::Jsonl) => Self::Jsonl,
            Some(ImportFormat::Markdown) => Self::Markdown,
            Some(ImportFormat::ChatDb) => Self::Database,
            Some(ImportFormat::ChatGpt) if !zip => Self::ChatGpt,
            _ if zip => Self::Zip,
            _ if head.starts_with(b"SQLite format 3\0") => Self::Database,
            _ => Self::of_text(head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start()),
        }
    }

    fn of_text(head: &[u8]) -> Self {
        let first: Vec<u8> = head.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).take(4 << 10).collect();
        let ours = |kind: &str| memmem(&first, format!("\"type\":\"{kind}\"").as_bytes());
        match first.first() {
            Some(b'{') if ours("session") || ours("message") => Self::Jsonl,
            Some(b'{' | b'[') => Self::ChatGpt,
            _ => Self::Markdown,
        }
    }
}

fn memmem(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// Counts what was read, for those who want to know how far it has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    done: AtomicU64,
    /// 0: nobody knows.
    total: AtomicU64,
}

impl Meter {
    /// Says how much there is.
    pub(super) fn expect(&self, total: u64) {
        self.0.total.store(total, Ordering::Relaxed);
    }

    pub(super) fn add(&self, done: u64) {
        self.0.done.fetch_add(done, Ordering::Relaxed);
    }

    pub(super) fn watch<R: Read>(&self, reader: R) -> Metered<R> {
        Metered { reader, meter: self.clone() }
    }

    pub(super) fn progress(&self) -> Progress {
        let total = self.0.total.load(Ordering::Relaxed);
        Progress { done: self.0.done.load(Ordering::Relaxed), total: Some(total).filter(|total| *total > 0) }
    }
}

/// A reader that is counted.
pub(super) struct Metered<R> {
    reader: R,
    meter: Meter,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.reader.read(buffer)?;
        self.meter.add(length as u64);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_told_from_its_beginning() {
        for (head, look) in [
            ("PK\x03\x04…", Look::Zip),
            ("SQLite format 3\0", Look::Database),
            ("\u{feff} [ {\"title\"", Look::ChatGpt),
            ("{\"title\":\"x\",\"mapping\":{}}", Look::ChatGpt),
            ("\n{ \"type\" : \"session\", \"v\": 1}", Look::Jsonl),
            ("---\ncatgpt: 1\n", Look::Markdown),
            ("# A trip\n", Look::Markdown),
            ("", Look::Markdown),
        ] {
            assert_eq!(Look::at(head.as_bytes(), None), look, "{head:?}");
        }
        assert_eq!(Look::at(b"# A", Some(ImportFormat::Jsonl)), Look::Jsonl);
        assert_eq!(Look::at(b"PK\x03\x04", Some(ImportFormat::ChatGpt)), Look::Zip);
    }
}
