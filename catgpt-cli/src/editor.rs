//! A text in the user's own editor.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::Command;

use catgpt_core::{Error, ErrorKind, Result};

use crate::config::var;
use crate::exit::invalid;

/// Opens the file in `$VISUAL` or `$EDITOR`, else in `vi`, and waits until that has ended.
pub(crate) fn open(path: &Path) -> Result<()> {
    let editor = match var("VISUAL").or_else(|| var("EDITOR")) {
        Some(editor) => editor,
        None if io::stdin().is_terminal() => "vi".to_owned(),
        None => return Err(invalid("say which editor: set VISUAL or EDITOR").with("path", path.display())),
    };
    // It may be more than a word: `code --wait`.
    let status = Command::new("sh").arg("-c").arg(format!("{editor} \"$@\"")).arg(&editor).arg(path).status();
    let fail = |sentence| Error::new(ErrorKind::Unexpected, sentence).with("editor", &editor);
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(fail("your editor ended with an error: what it wrote stays as it is").with("status", status)),
        Err(error) => Err(fail("your editor cannot be started").caused_by(error)),
    }
}
