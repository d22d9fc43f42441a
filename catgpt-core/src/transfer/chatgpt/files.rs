//! Where an export's conversations are: in the files of a zip, or of a folder.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::super::source::Meter;
use super::super::{Flow, Take, unreadable};
use super::{Assets, each};
use crate::error::{Error, ErrorKind, Result};

/// Files with conversations; without one, every other JSON file is looked into, since exporters name them as they like.
fn is_conversations(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".json") else { return false };
    let rest = stem.strip_prefix("conversations");
    rest.is_some_and(|rest| rest.trim_start_matches(['-', '_']).bytes().all(|byte| byte.is_ascii_digit()))
}

/// What stands beside the conversations.
const OTHERS: [&str; 8] = [
    "user.json",
    "user_settings.json",
    "message_feedback.json",
    "model_comparisons.json",
    "shared_conversations.json",
    "group_chats.json",
    "shopping.json",
    "sora.json",
];

/// The files to read, of all paths of an export, in the order of their names.
fn chosen(paths: &[String]) -> Vec<usize> {
    let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let clean = |path: &str| !path.contains("__MACOSX/") && !name(path).starts_with("._");
    let of = |fits: &dyn Fn(&str) -> bool| -> Vec<usize> {
        (0..paths.len()).filter(|n| clean(&paths[*n]) && fits(&name(&paths[*n]))).collect()
    };
    let mut found = of(&is_conversations);
    if found.is_empty() {
        found = of(&|name| name.ends_with(".json") && !OTHERS.contains(&name));
    }
    found.sort_by(|a, b| paths[*a].cmp(&paths[*b]));
    found
}

fn assets(paths: &[String]) -> Assets {
    let mut assets = Assets::default();
    paths.iter().for_each(|path| assets.add(path));
    assets
}

fn none() -> Error {
    Error::invalid("there are no conversations in this: an export of ChatGPT has a `conversations.json`")
}

/// Reads the export in a folder.
pub(in crate::transfer) fn folder(root: &Path, meter: &Meter, take: &mut Take<'_>) -> Result<()> {
    let mut files = Vec::new();
    list(root, 0, &mut files).map_err(unreadable)?;
    let paths: Vec<String> = files.iter().map(|file| relative(root, file)).collect();
    let (chosen, assets) = (chosen(&paths), assets(&paths));
    if chosen.is_empty() {
        return Err(none());
    }
    meter.expect(chosen.iter().filter_map(|n| fs::metadata(&files[*n]).ok()).map(|file| file.len()).sum());
    for n in chosen {
        let file = File::open(&files[n]).map_err(unreadable)?;
        if each(&mut BufReader::new(meter.watch(file)), &assets, take)? == Flow::Stop {
            break;
        }
    }
    Ok(())
}

fn list(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    /// Exports have folders in folders, but not many.
    const DEEPEST: usize = 8;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_file() {
            files.push(entry.path());
        } else if kind.is_dir() && depth < DEEPEST {
            list(&entry.path(), depth + 1, files)?;
        }
    }
    Ok(())
}

fn relative(root: &Path, file: &Path) -> String {
    let path = file.strip_prefix(root).unwrap_or(file);
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[cfg(not(feature = "zip"))]
pub(in crate::transfer) fn zip<R>(_: R, _: &Meter, _: &mut Take<'_>) -> Result<()> {
    let text = "this build reads no zip files: unpack it and give the folder, or build with the feature `zip`";
    Err(Error::new(ErrorKind::Unsupported, text))
}

/// Reads the export in a zip. A file in it that is damaged costs no other.
#[cfg(feature = "zip")]
pub(in crate::transfer) fn zip<R: std::io::Read + std::io::Seek>(
    input: R,
    meter: &Meter,
    take: &mut Take<'_>,
) -> Result<()> {
    let mut zip = ::zip::ZipArchive::new(input).map_err(damaged)?;
    let mut paths = vec![String::new(); zip.len()];
    for (n, path) in paths.iter_mut().enumerate() {
        *path = zip.name_for_index(n).and_then(Result::ok).unwrap_or_default().replace('\\', "/");
    }
    let (chosen, assets) = (chosen(&paths), assets(&paths));
    if chosen.is_empty() {
        return Err(none());
    }
    let size = |n: &usize, zip: &mut ::zip::ZipArchive<R>| zip.by_index_raw(*n).map_or(0, |file| file.size());
    meter.expect(chosen.iter().map(|n| size(n, &mut zip)).sum());
    for n in chosen {
        let read = match zip.by_index(n) {
            Ok(file) => {
                let most = allowed(file.compressed_size());
                each(&mut BufReader::new(meter.watch(Bounded { file, left: most })), &assets, take)
            }
            Err(error) => Err(damaged(error)),
        };
        let flow = match read {
            Ok(flow) => flow,
            Err(error) => take(super::super::Found::refused(None, None, error.with("file", &paths[n]))),
        };
        if flow == Flow::Stop {
            break;
        }
    }
    Ok(())
}

/// How long a file of so many bytes may become. Real conversations become ten times as long; what is made to fill
/// memories and disks becomes a thousand times as long.
#[cfg(feature = "zip")]
fn allowed(compressed: u64) -> u64 {
    (16 << 20) + compressed.saturating_mul(100)
}

/// A file that may not become longer than it should.
#[cfg(feature = "zip")]
struct Bounded<R> {
    file: R,
    left: u64,
}

#[cfg(feature = "zip")]
impl<R: std::io::Read> std::io::Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.file.read(buffer)?;
        let Some(left) = self.left.checked_sub(length as u64) else {
            let text = "a file in this zip is made to become far longer than any conversation: it is not read";
            return Err(std::io::Error::other(Error::new(ErrorKind::InvalidInput, text)));
        };
        self.left = left;
        Ok(length)
    }
}

#[cfg(feature = "zip")]
fn damaged(error: ::zip::result::ZipError) -> Error {
    use ::zip::result::ZipError;
    let text = match &error {
        ZipError::UnsupportedArchive(_) => "this zip is packed in a way that is not read here: unpack it first",
        ZipError::InvalidPassword => "this zip is protected by a password: unpack it first",
        _ => "this zip is damaged or cut off: download it again",
    };
    Error::new(ErrorKind::InvalidInput, text).caused_by(error)
}
