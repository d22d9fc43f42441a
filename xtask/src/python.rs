//! The Python package: installed into an environment of its own under `target/`, tested, and its types checked.

use std::path::{Path, PathBuf};

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

/// Installs, tests and checks.
pub(crate) fn run(root: &Path) -> (Count, Result<(), String>) {
    let folder = root.join("catgpt-py");
    let (mut count, result) = match install(root, &folder) {
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

fn python(root: &Path) -> PathBuf {
    home(root).join("bin").join("python")
}

/// Makes the environment if it is not there, and puts the package into it as it stands in the tree.
fn install(root: &Path, folder: &Path) -> Result<PathBuf, String> {
    let (home, python) = (home(root), python(root));
    if !run::exists(run::inside(root, &python).arg("--version")) {
        let made = run::show(run::inside(root, "python3").args(["-m", "venv", "--clear"]).arg(&home));
        made.map_err(|e| format!("{e}\nthe tests need Python 3.11 or newer: sudo apt-get install -y python3-venv"))?;
    }
    let requirements = folder.join("tests").join("requirements.txt");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    run::show(run::inside(root, &python).args(pip).arg(requirements))?;
    let develop = ["-m", "maturin", "develop", "--quiet", "--locked"];
    run::show(run::inside(folder, &python).args(develop).env("VIRTUAL_ENV", home))?;
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
