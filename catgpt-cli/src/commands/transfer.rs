//! `catgpt chats export` and `catgpt chats import`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use catgpt_core::transfer::{Entry, Outcome};
use catgpt_core::{Error, ErrorKind, ExportFormat, ImportFormat, ImportReport, Source, User};
use futures_util::StreamExt;

use crate::args::{Export, Found, Import, Written};
use crate::exit::{Exit, Failure, invalid};
use crate::notes::Notes;
use crate::out::Out;
use crate::progress::Line;
use crate::refs;

pub(super) async fn export(user: &User, options: &Export, out: &mut Out, notes: Notes) -> Result<(), Failure> {
    let format = match options.format {
        Written::Jsonl => ExportFormat::Jsonl,
        Written::Md => ExportFormat::Markdown,
    };
    let mut export = user.export(format);
    if !options.chats.is_empty() {
        let mut chosen = Vec::new();
        for word in &options.chats {
            chosen.push(refs::find(user, word).await?.id().clone());
        }
        export = export.only(chosen);
    }
    // Where the text itself is shown, a bar would stand in it.
    if options.output.is_some() || !out.terminal {
        let mut line = Line::new("exporting", notes);
        export = export.on_progress(move |progress| line.show(progress));
    }
    let mut file = options.output.as_deref().map(create).transpose()?;
    let mut pieces = export.stream();
    while let Some(piece) = pieces.next().await {
        match &mut file {
            Some(file) => file.write_all(piece?.as_bytes()).map_err(|error| unwritten(&error))?,
            None => out.text(&piece?)?,
        }
    }
    file.map_or(Ok(()), |file| file.sync_all().map_err(|error| unwritten(&error).into()))
}

/// A new file that its owner alone may read, or the one that is there.
fn create(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| {
        invalid("the file cannot be written: choose another path").with("path", path.display()).caused_by(error)
    })
}

fn unwritten(error: &io::Error) -> Error {
    Error::new(ErrorKind::StoreFull, "the file cannot be written to its end").with("cause", error.kind())
}

pub(super) async fn import(user: &User, options: &Import, out: &mut Out, notes: Notes) -> Result<Exit, Failure> {
    let source = match options.file.to_str() {
        Some("-") => Source::reader(io::stdin()),
        _ => Source::path(&options.file),
    };
    let source = options.format.map(format).into_iter().fold(source, Source::format);
    let mut line = Line::new("importing", notes);
    let import = user.import(source).dry_run(options.dry_run).on_progress(move |progress| line.show(progress));
    let report = import.await?;
    show(&report, options.json, out)?;
    notes.say(summary(&report, options.dry_run));
    // A script must hear of what is not here.
    Ok(if report.refused > 0 { Exit::Failed } else { Exit::Ok })
}

fn format(found: Found) -> ImportFormat {
    match found {
        Found::Jsonl => ImportFormat::Jsonl,
        Found::Md => ImportFormat::Markdown,
        Found::Chatgpt => ImportFormat::ChatGpt,
        Found::ChatDb => ImportFormat::ChatDb,
    }
}

fn show(report: &ImportReport, json: bool, out: &mut Out) -> io::Result<()> {
    match json {
        true => report.entries.iter().try_for_each(|entry| out.json(entry)),
        false => out.rows(&report.entries.iter().map(row).collect::<Vec<_>>()),
    }
}

/// Name, what became of it, number of messages, title and why.
fn row(entry: &Entry) -> [String; 4] {
    let (outcome, why) = match &entry.outcome {
        Outcome::Imported => ("imported", String::new()),
        Outcome::Unchanged => ("unchanged", String::new()),
        Outcome::Partly { left_out } => {
            let reasons: Vec<_> = left_out.iter().map(|(reason, count)| format!("{reason}: {count}")).collect();
            ("partly", format!("left out: {}", reasons.join(", ")))
        }
        Outcome::Refused { error } => ("refused", error.message.clone()),
        _ => ("", String::new()),
    };
    let title = entry.title.as_deref().unwrap_or_default();
    let apart = if title.is_empty() || why.is_empty() { "" } else { " · " };
    let told = format!("{title}{apart}{why}").replace(char::is_control, " ");
    let name = refs::short(entry.session.as_deref().unwrap_or("?")).replace(char::is_control, " ");
    [name, outcome.to_owned(), entry.messages.to_string(), told]
}

fn summary(report: &ImportReport, dry_run: bool) -> String {
    let ImportReport { imported, unchanged, partly, refused, messages, .. } = report;
    let what = if dry_run { "this would be: " } else { "" };
    format!("{what}{imported} imported, {unchanged} unchanged, {partly} partly, {refused} refused; {messages} messages")
}
