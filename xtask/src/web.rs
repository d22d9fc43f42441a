//! The page that the applications share: built where it is stale, and tested, also in a browser beside all of them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use catgpt_scratch::Durability;

use crate::run::{self, Count};
use crate::servers::Servers;
use crate::{apps, node, python};

/// What browsers go by.
const CHROMIUM: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// Where Debian's fonts with cats in them are.
const EMOJI: &str = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf";
/// What the page is built from, beside `src/`.
const SOURCES: [&str; 4] = ["index.html", "package-lock.json", "tsconfig.json", "vite.config.ts"];

/// The Debian packages that the browser's tests still need.
pub(crate) fn missing_packages() -> Vec<&'static str> {
    let mut missing = Vec::new();
    missing.extend(chromium().is_none().then_some("chromium"));
    missing.extend((!Path::new(EMOJI).exists()).then_some("fonts-noto-color-emoji"));
    missing
}

/// `CHROMIUM`, or the first that there is.
fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    named.or_else(|| {
        CHROMIUM.iter().flat_map(|name| folders.iter().map(move |at| at.join(name))).find(|at| at.is_file())
    })
}

/// The step: the page's own tests, then those in a browser, against the real servers of all applications.
pub(crate) fn tests(root: &Path) -> (Count, Result<(), String>) {
    let mut count = Count::default();
    let result = every_test(root, &mut count);
    (count, result)
}

fn every_test(root: &Path, count: &mut Count) -> Result<(), String> {
    let chromium =
        chromium().ok_or("there is no chromium: sudo apt-get install -y chromium, or say where: CHROMIUM=…")?;
    let folder = root.join("examples").join("web");
    node::install(&folder)?;
    apps::add(count, run::tests(npm(&folder, &["test"]).env("NO_COLOR", "1"), run::VITEST))?;
    run::show(&mut npm(&folder, &["run", "build"]))?;
    apps::ready(root)?;
    apps::prepare(root, &apps::all(root)?)?;
    let servers = Servers::start(Durability::None)?;
    let mut browser = npm(&folder, &["run", "e2e"]);
    browser.env("CHROMIUM", chromium).env("CATGPT_PYTHON", python::python(root)).env("NO_COLOR", "1");
    apps::add(count, run::tests(servers.tell(&mut browser), run::VITEST))
}

/// Builds the page, unless what is there is newer than all that it is made from.
pub(crate) fn build(root: &Path) -> Result<(), String> {
    let folder = root.join("examples").join("web");
    let made = modified(&folder.join("dist").join("index.html"));
    let mut sources: Vec<PathBuf> = SOURCES.iter().map(|name| folder.join(name)).collect();
    walk(&folder.join("src"), &mut sources);
    if made.is_some() && sources.iter().all(|source| modified(source) < made) {
        return Ok(());
    }
    println!("building the page");
    node::install(&folder)?;
    run::show(&mut npm(&folder, &["run", "build"]))
}

fn npm(folder: &Path, args: &[&str]) -> Command {
    let mut npm = run::inside(folder, "npm");
    npm.args(args).arg("--silent");
    npm
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|facts| facts.modified()).ok()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.is_dir() { walk(&path, files) } else { files.push(path) }
    }
}
