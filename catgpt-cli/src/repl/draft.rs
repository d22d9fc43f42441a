//! A message in the user's editor.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use catgpt_core::{Error, ErrorKind, Result, TurnId};

use crate::editor;
use crate::exit::invalid;

/// A file that its owner alone may read, and that is gone afterwards.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// What the user makes of the text.
pub(super) async fn edit(text: String) -> Result<String> {
    let edited = tokio::task::spawn_blocking(move || {
        let draft = Draft(std::env::temp_dir().join(format!("catgpt-{}.md", TurnId::fresh())));
        let place = |error: std::io::Error| {
            Error::new(ErrorKind::Unexpected, "your message cannot be written to a file for your editor")
                .with("path", draft.0.display())
                .caused_by(error)
        };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft.0).map_err(place)?;
        file.write_all(text.as_bytes()).map_err(place)?;
        drop(file);
        editor::open(&draft.0)?;
        fs::read_to_string(&draft.0)
            .map_err(|error| invalid("what your editor wrote is not UTF-8 text").caused_by(error))
    });
    edited
        .await
        .map_err(|error| Error::new(ErrorKind::Unexpected, "your editor cannot be waited for").caused_by(error))?
}
