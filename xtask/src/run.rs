//! Running other programs: quietly for their output, or shown while their test results are counted.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::ops::AddAssign;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Variables that would lead a test or an example to somebody's paid model or real data.
const OUTSIDE: [&str; 5] = ["OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL", "DATABASE_URL", "REDIS_URL"];

/// How many checks or tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Passed.
    pub(crate) passed: u64,
    /// Failed.
    pub(crate) failed: u64,
    /// Not run at all, which the house forbids.
    pub(crate) skipped: u64,
}

impl Count {
    /// One check that passed.
    pub(crate) const ONE: Count = Count { passed: 1, failed: 0, skipped: 0 };
}

impl AddAssign for Count {
    fn add_assign(&mut self, more: Count) {
        self.passed += more.passed;
        self.failed += more.failed;
        self.skipped += more.skipped;
    }
}

/// Cargo, in the workspace's root, without a way to the outside.
///
/// What `cargo run` told this program about its own package is taken away: ring's build script looks at it, and would
/// be run again each time.
pub(crate) fn cargo(root: &Path) -> Command {
    inside(root, std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Any program, in the same way.
pub(crate) fn inside(folder: &Path, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null());
    let ours = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for name in std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()) {
        if ours(&name) || OUTSIDE.contains(&name.as_str()) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs and shows it.
pub(crate) fn show(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|e| format!("cannot start {}: {e}", line(command)))?;
    check(status, command)
}

/// Runs and gives what it wrote to stdout.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let out = command.output().map_err(|e| format!("cannot start {}: {e}", line(command)))?;
    check(out.status, command).map_err(|e| format!("{}\n{e}", String::from_utf8_lossy(&out.stderr).trim_end()))?;
    String::from_utf8(out.stdout).map_err(|e| format!("{} did not write UTF-8: {e}", line(command)))
}

/// Whether the program is installed and answers.
pub(crate) fn exists(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Where nextest sums up: `Summary [1s] 3 tests run: 2 passed, 1 failed, 0 skipped`.
pub(crate) const NEXTEST: &str = "Summary [";
/// Where cargo test does, once for each binary: `test result: ok. 3 passed; 0 failed; 0 ignored; …`.
pub(crate) const CARGO_TEST: &str = "test result: ";

/// Where catgpt-py/tests/conftest.py and examples/kit/counted.py do.
pub(crate) const PYTEST: &str = "pytest summary: ";

/// Where vitest does: `     Tests  3 failed | 12 passed (15)`.
pub(crate) const VITEST: &str = "Tests  ";

/// Runs and shows it, counting the results of the tests in the lines that begin with `sum`.
pub(crate) fn tests(command: &mut Command, sum: &'static str) -> (Count, Result<(), String>) {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(e) => return (Count::default(), Err(format!("cannot start {}: {e}", line(command)))),
    };
    let errors = child.stderr.take().map(|pipe| thread::spawn(move || tee(pipe, sum, |text| eprintln!("{text}"))));
    let mut count = child.stdout.take().map(|pipe| tee(pipe, sum, |text| println!("{text}"))).unwrap_or_default();
    count += errors.and_then(|reader| reader.join().ok()).unwrap_or_default();
    let status = child.wait().map_err(|e| format!("lost {}: {e}", line(command)));
    (count, status.and_then(|status| check(status, command)))
}

/// Runs and shows it, but kills it at the deadline.
pub(crate) fn within(command: &mut Command, deadline: Duration) -> Result<(), String> {
    let mut child = command.spawn().map_err(|e| format!("cannot start {}: {e}", line(command)))?;
    let begun = Instant::now();
    let status = wait(&mut child, begun + deadline).map_err(|e| format!("lost {}: {e}", line(command)))?;
    match status {
        Some(status) => check(status, command),
        None => Err(format!("{} still ran after {} s and was killed", line(command), deadline.as_secs())),
    }
}

fn wait(child: &mut Child, until: Instant) -> std::io::Result<Option<ExitStatus>> {
    while Instant::now() < until {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(Duration::from_millis(20));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

fn tee(pipe: impl Read, sum: &str, show: impl Fn(&str)) -> Count {
    let mut count = Count::default();
    let mut lines = BufReader::new(pipe);
    let mut bytes = Vec::new();
    while lines.read_until(b'\n', &mut bytes).is_ok_and(|n| n > 0) {
        let text = String::from_utf8_lossy(&bytes);
        show(text.trim_end_matches('\n'));
        count += counted(&text, sum);
        bytes.clear();
    }
    count
}

/// What a line counts that begins with `sum`; any other counts nothing, also what a failed test printed.
fn counted(line: &str, sum: &str) -> Count {
    let plain = without_colour(line);
    let Some(line) = plain.trim_start().strip_prefix(sum) else { return Count::default() };
    let words: Vec<&str> = line.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut count = Count::default();
    for pair in words.windows(2) {
        match (pair[0].parse::<u64>(), pair[1]) {
            (Ok(n), "passed") => count.passed += n,
            (Ok(n), "failed" | "timed" | "exec") => count.failed += n,
            (Ok(n), "skipped" | "ignored") => count.skipped += n,
            _ => {}
        }
    }
    count
}

fn without_colour(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}

fn check(status: ExitStatus, command: &Command) -> Result<(), String> {
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", line(command))) }
}

/// The command as one would type it.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    format!("`{}`", words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_line(sum: &str, line: &str, passed: u64, failed: u64, skipped: u64) {
        assert_eq!(counted(line, sum), Count { passed, failed, skipped }, "{line}");
    }

    #[test]
    fn results_are_counted_from_both_runners() {
        check_line(NEXTEST, "     Summary [   0.012s] 12 tests run: 12 passed, 0 skipped", 12, 0, 0);
        let bad = "Summary [ 9s] 5/9 tests run: 2 passed (1 slow), 1 failed, 1 timed out, 1 exec failed, 4 skipped";
        check_line(NEXTEST, bad, 2, 3, 4);
        let colourful = "\u{1b}[32;1m     Summary\u{1b}[0m [   1s] 2 tests run: \u{1b}[1m2\u{1b}[0m passed";
        check_line(NEXTEST, colourful, 2, 0, 0);
        let cargo = "test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out";
        check_line(CARGO_TEST, cargo, 3, 2, 1);
        check_line(NEXTEST, cargo, 0, 0, 0);
        check_line(VITEST, "      Tests  1 failed | 12 passed | 2 skipped (15)", 12, 1, 2);
        check_line(VITEST, " Test Files  3 passed (3)", 0, 0, 0);
        check_line(CARGO_TEST, "I have 7 passed exams", 0, 0, 0);
    }

    #[test]
    fn a_failing_program_is_an_error_that_names_it() {
        assert_eq!(show(Command::new("true").stdin(Stdio::null())), Ok(()));
        let error = show(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert!(error.contains("`sh -c exit 3`") && error.contains('3'), "{error}");
        assert!(output(&mut Command::new("no-such-program")).is_err());
        assert!(!exists(&mut Command::new("no-such-program")));
    }

    #[test]
    fn tests_are_shown_and_counted() {
        let script =
            "echo 'test result: ok. 3 passed; 0 failed'; echo 'test result: ok. 1 passed; 1 failed' >&2; exit 1";
        let (count, result) = tests(Command::new("sh").args(["-c", script]), CARGO_TEST);
        assert_eq!(count, Count { passed: 4, failed: 1, skipped: 0 });
        assert!(result.is_err());
    }

    #[test]
    fn what_hangs_is_killed() {
        let error = within(Command::new("sleep").arg("600"), Duration::from_millis(50)).unwrap_err();
        assert!(error.contains("killed"), "{error}");
        assert_eq!(within(&mut Command::new("true"), Duration::from_secs(60)), Ok(()));
    }
}
