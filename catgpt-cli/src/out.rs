//! Where results go: to stdout as it is for programs, and for people on a terminal in columns, through a pager, and
//! without what could steer the terminal.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use crate::args::Common;
use crate::color;
use crate::config::var;
use crate::exit::{Exit, Failure};
use crate::render::visible;

/// Stdout, and whether somebody looks at it.
pub(crate) struct Out {
    pub(crate) to: BufWriter<Sink>,
    pub(crate) terminal: bool,
    /// Whether words may be in bold.
    pub(crate) bold: bool,
}

/// What bytes go into.
pub(crate) enum Sink {
    Stdout(io::Stdout),
    /// A pager that begins with the first byte, so that nothing is shown as nothing.
    Later(String),
    Pager(Child, ChildStdin),
}

impl Out {
    pub(crate) fn stdout() -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        Self { to: BufWriter::new(Sink::Stdout(stdout)), terminal, bold: false }
    }

    /// What may be longer than a screen.
    pub(crate) fn paged() -> Self {
        let out = Self::stdout();
        match pager().filter(|_| out.terminal) {
            Some(pager) => Self { to: BufWriter::new(Sink::Later(pager)), ..out },
            None => out,
        }
    }

    /// With bold words where the user likes them.
    pub(crate) fn colored(self, common: &Common) -> Self {
        Self { bold: color::enabled(common.color, &io::stdout()), ..self }
    }

    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.to, value)?;
        self.to.write_all(b"\n")
    }

    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        self.text(text)?;
        self.to.write_all(b"\n")
    }

    /// Text exactly as it is, but a terminal is not steered by it.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        match self.terminal {
            true => self.to.write_all(visible(text).as_bytes()),
            false => self.to.write_all(text.as_bytes()),
        }
    }

    /// Columns on a terminal, else tabs. No cell can begin another line or column.
    pub(crate) fn rows<const N: usize>(&mut self, rows: &[[String; N]]) -> io::Result<()> {
        let cells = |row: &[String; N]| row.each_ref().map(|cell| visible(cell).replace(['\n', '\t'], " "));
        let rows: Vec<_> = rows.iter().map(cells).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
        let is_number = |cell: &String| !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit());
        let right: [bool; N] = std::array::from_fn(|column| rows.iter().all(|row| is_number(&row[column])));
        let widths: [usize; N] = std::array::from_fn(width);
        for row in &rows {
            if !self.terminal {
                writeln!(self.to, "{}", row.join("\t"))?;
                continue;
            }
            let pad = |((cell, width), right): ((&String, usize), bool)| {
                let pad = " ".repeat(width - cell.width());
                if right { format!("{pad}{cell}") } else { format!("{cell}{pad}") }
            };
            let padded: Vec<_> = row.iter().zip(widths).zip(right).map(pad).collect();
            writeln!(self.to, "{}", padded.join("  ").trim_end())?;
        }
        Ok(())
    }

    /// Writes the rest and waits until it was looked at. Who leaves a pager early has seen enough: that is no failure.
    pub(crate) fn end(mut self, done: Result<Exit, Failure>) -> Result<Exit, Failure> {
        let flushed = self.to.flush().map_err(Failure::from);
        let done = done.and_then(|exit| flushed.map(|()| exit));
        let Sink::Pager(mut pager, stdin) = self.to.into_parts().0 else { return done };
        drop(stdin);
        pager.wait()?;
        match done {
            Err(failure) if failure.exit() == Exit::Pipe => Ok(Exit::Ok),
            done => done,
        }
    }
}

/// `$PAGER`, else `less`. A terminal that can do nothing has none, and neither has who says `cat`.
fn pager() -> Option<String> {
    var("TERM").filter(|term| term != "dumb")?;
    match std::env::var("PAGER") {
        Ok(pager) if pager.trim().is_empty() || pager.trim() == "cat" => None,
        Ok(pager) => Some(pager),
        Err(_) => Some("less -FIRX".to_owned()),
    }
}

impl Sink {
    /// Begins the pager; where that is not possible, stdout takes it all.
    fn begin(&mut self) -> &mut Self {
        if let Self::Later(command) = self {
            *self = start(command).unwrap_or_else(|_| Self::Stdout(io::stdout()));
        }
        self
    }
}

fn start(command: &str) -> io::Result<Sink> {
    let mut sh = Command::new("sh");
    sh.arg("-c").arg(command).stdin(Stdio::piped());
    if std::env::var_os("LESS").is_none() {
        sh.env("LESS", "FIRX");
    }
    let mut child = sh.spawn()?;
    let stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    // Ctrl-C is the pager's: it ends a search there. Without a runtime it ends both, as before.
    if tokio::runtime::Handle::try_current().is_ok() {
        let _ = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
    }
    Ok(Sink::Pager(child, stdin))
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.begin() {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::Pager(_, stdin) => stdin.write(bytes),
            Self::Later(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::Pager(_, stdin) => stdin.flush(),
            Self::Later(_) => Ok(()),
        }
    }
}
