//! What an import of a large export costs, and whether memory stays flat: 50 MB in ChatGPT's shape, with branches, pictures
//! and odd entries, into a SQLite store; again; and out as JSON Lines.
//!
//! Memory is what the process held at most after a step, beyond what it held before the first.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, reason = "a bench is a program")]

#[path = "../../catgpt-core/tests/transfer/generator.rs"]
#[allow(dead_code, clippy::cast_precision_loss, reason = "the tests use all of it")]
mod generator;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::Instant;

use catgpt_core::{Engine, ExportFormat, Offline, Source, Sqlite};
use futures_util::StreamExt;
use nix::sys::resource::{UsageWho, getrusage};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // Cargo's own runs of benches as tests want one small pass.
    let megabytes = if std::env::args().any(|arg| arg == "--test") { 1 } else { 50 };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("conversations.json");
    let mut file = BufWriter::new(File::create(&path).unwrap());
    let written = generator::export(7, megabytes << 20, &mut file).unwrap();
    file.flush().unwrap();
    println!("{megabytes} MB: {written:?}");
    let store = Sqlite::open(folder.path().join("chat.db")).await.unwrap();
    let engine = Engine::builder().model(Offline::new()).memory(store).build();
    let user = engine.local();
    let before = peak();
    for step in ["import", "again"] {
        let begun = Instant::now();
        let report = user.import(Source::path(&path)).await.unwrap();
        let [imported, unchanged, partly, refused] = [report.imported, report.unchanged, report.partly, report.refused];
        println!(
            "{step}: {imported} imported, {unchanged} unchanged, {partly} partly, {refused} refused, {} messages",
            report.messages
        );
        told(step, begun, before);
    }
    let (begun, mut bytes, mut pieces) = (Instant::now(), 0, user.export(ExportFormat::Jsonl).stream());
    while let Some(piece) = pieces.next().await {
        bytes += piece.unwrap().len();
    }
    println!("export: {bytes} bytes");
    told("export", begun, before);
    engine.close(std::time::Duration::ZERO).await.unwrap();
}

fn told(step: &str, begun: Instant, before: i64) {
    println!("{step}: {:.1} s, {} MiB more at most", begun.elapsed().as_secs_f64(), (peak() - before) >> 10);
}

/// The most memory that the process has held, in KiB.
fn peak() -> i64 {
    getrusage(UsageWho::RUSAGE_SELF).unwrap().max_rss()
}
