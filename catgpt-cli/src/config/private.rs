//! Files that their owner alone may read, written whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use catgpt_core::Result;

use crate::exit::invalid;

/// What a file's owner may do, and nobody else.
const OWN: u32 = 0o600;

/// Makes a folder that its owner alone may look into. One that is there stays as it is.
pub(crate) fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Puts `text` into the file at once: who reads it meanwhile, or after a crash, finds the old or the new text.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    replace(path, text)
        .map_err(|error| invalid("the file cannot be written").with("path", path.display()).caused_by(error))
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    // A link stays one, and what it leads to is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let parent = path.parent().unwrap_or(Path::new("."));
    folder(parent)?;
    let (new, mut file) = beside(&path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&new, &path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written?;
    // The name is kept by the folder; a file system that cannot do that keeps it soon.
    let _ = File::open(parent).and_then(|folder| folder.sync_all());
    Ok(())
}

fn beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(OWN).open(&new)?;
    // It may have been left behind by a process that died.
    file.set_permissions(Permissions::from_mode(OWN))?;
    Ok((new, file))
}

/// The mode of a file that others may read; `None` if they may not.
pub(crate) fn open_to_others(path: &Path) -> Option<u32> {
    let mode = path.metadata().ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_its_owners_alone_and_a_link_stays_one() {
        let home = tempfile::tempdir().unwrap();
        let (real, link) = (home.path().join("a/real.toml"), home.path().join("link.toml"));
        write(&real, "one").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        fs::set_permissions(&real, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(open_to_others(&link), Some(0o644));
        write(&link, "two").unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "two");
        assert!(link.symlink_metadata().unwrap().is_symlink() && open_to_others(&real).is_none());
        assert_eq!(real.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(home.path().join("a")).unwrap().count(), 1);
        assert!(write(&real.join("no"), "x").is_err());
    }
}
