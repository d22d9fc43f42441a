//! The Python package: installed into an environment of its own under `target/`, tested, and its types checked.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use catgpt_scratch::Durability;

use crate::run::{self, Count};
use crate::servers::Servers;

/// What is run with the environment's Python after the tests, each from the package's folder.
const CHECKS: [(&str, &[&str]); 4] = [
    ("stub", &["stubs.py", "--check"]),
    ("mypy", &["-m", "mypy"]),
    ("pyright", &["-m", "pyright", "--warnings", "--pythonpath", "../target/python/bin/python"]),
    ("stubtest", &["-m", "mypy.stubtest", "--concise", "catgpt._native"]),
];

const PIP: [&str; 6] = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];

/// Installs, tests and checks.
pub(crate) fn run(root: &Path) -> (Count, Result<(), String>) {
    let folder = root.join("catgpt-py");
    let (mut count, result) = match install(root) {
        Ok(python) => tests(&folder, &python),
        Err(message) => (Count::default(), Err(message)),
    };
    if result.is_err() {
        return (count, result);
    }
    for (name, args) in CHECKS {
        println!("{name}");
        if let Err(message) = run::show(run::inside(&folder, python(root)).args(args).env("VIRTUAL_ENV", home(root))) {
            return (count, Err(message));
        }
        count += Count::ONE;
    }
    (count, Ok(()))
}

fn home(root: &Path) -> PathBuf {
    root.join("target").join("python")
}

/// The environment's Python, there or not yet.
pub(crate) fn python(root: &Path) -> PathBuf {
    home(root).join("bin").join("python")
}

/// Installs what these lists name, beside the package.
pub(crate) fn require(root: &Path, lists: &[PathBuf]) -> Result<(), String> {
    let Some(first) = lists.first() else { return Ok(()) };
    let mut pip = run::inside(root, python(root));
    pip.args(PIP).arg(first);
    run::show(lists[1..].iter().fold(&mut pip, |pip, list| pip.arg("--requirement").arg(list)))
}

/// The environment with the package as it stands in the tree: made once in a run, for an earlier run's may be of another
/// tree.
pub(crate) fn install(root: &Path) -> Result<PathBuf, String> {
    static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    MADE.get_or_init(|| make(root)).clone()
}

fn make(root: &Path) -> Result<PathBuf, String> {
    let (home, python, folder) = (home(root), python(root), root.join("catgpt-py"));
    if !run::exists(run::inside(root, &python).arg("--version")) {
        let made = run::show(run::inside(root, "python3").args(["-m", "venv", "--clear"]).arg(&home));
        made.map_err(|e| format!("{e}\nthe tests need Python 3.11 or newer: sudo apt-get install -y python3-venv"))?;
    }
    require(root, &[folder.join("tests").join("requirements.txt")])?;
    let develop = ["-m", "maturin", "develop", "--quiet", "--locked"];
    run::show(run::inside(&folder, &python).args(develop).env("VIRTUAL_ENV", home))?;
    Ok(python)
}

fn tests(folder: &Path, python: &Path) -> (Count, Result<(), String>) {
    match Servers::start(Durability::None) {
        Ok(servers) => {
            let mut pytest = run::inside(folder, python);
            run::tests(servers.tell(pytest.args(["-m", "pytest", "--color=no"])), run::PYTEST)
        }
        Err(message) => (Count::default(), Err(message)),
    }
}
