//! How far long work has come: one line on a terminal that is written over, and nothing elsewhere.

use std::io::{self, Write};
use std::pin::pin;
use std::time::{Duration, Instant};

use catgpt_core::Progress;
use tokio::time::timeout;

use crate::color::is_lively;
use crate::notes::Notes;

/// How often the line is written at most.
const EVERY: Duration = Duration::from_millis(100);
/// How long something may take before it is told what is waited for.
const SUDDEN: Duration = Duration::from_millis(300);
/// How many columns the bar has.
const WIDTH: u64 = 24;

/// The line. It is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Line {
    what: &'static str,
    shown: bool,
    last: Option<Instant>,
}

impl Line {
    pub(crate) fn new(what: &'static str, notes: Notes) -> Self {
        Self { what, shown: !notes.is_quiet() && is_lively(&io::stderr()), last: None }
    }

    /// Shows how far it is.
    pub(crate) fn show(&mut self, progress: Progress) {
        if self.shown && self.last.is_none_or(|last| last.elapsed() >= EVERY) {
            self.write(&bar(progress));
        }
    }

    fn write(&mut self, state: &str) {
        if self.shown {
            self.last = Some(Instant::now());
            // Nobody may be there to read it.
            let _ = write!(io::stderr(), "\r\x1b[K{} {state}", self.what);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.last.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// Waits for it. If that takes longer than anybody expects, `what` is shown until it is there.
pub(crate) async fn wait<T>(what: &'static str, notes: Notes, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    if let Ok(done) = timeout(SUDDEN, &mut work).await {
        return done;
    }
    let mut line = Line::new(what, notes);
    line.write("…");
    work.await
}

fn bar(Progress { done, total }: Progress) -> String {
    let Some(total) = total.filter(|total| *total > 0) else { return format!("{done}") };
    let done = done.min(total);
    let part = |of: u64| u64::try_from(u128::from(done) * u128::from(of) / u128::from(total)).unwrap_or(of);
    let full = usize::try_from(part(WIDTH)).unwrap_or(0);
    let empty = usize::try_from(WIDTH).unwrap_or(0) - full;
    format!("{}{} {:>3} %", "█".repeat(full), "░".repeat(empty), part(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_the_work_that_is_done() {
        let at = |done, total| bar(Progress { done, total });
        assert_eq!(at(7, None), "7");
        assert_eq!(at(7, Some(0)), "7");
        assert_eq!(at(0, Some(9)), format!("{}   0 %", "░".repeat(24)));
        assert_eq!(at(1, Some(2)), format!("{}{}  50 %", "█".repeat(12), "░".repeat(12)));
        assert_eq!(at(u64::MAX, Some(u64::MAX)), format!("{} 100 %", "█".repeat(24)));
        assert_eq!(at(9, Some(3)), at(3, Some(3)));
    }
}
