//! The applications of `examples/apps.json`: what each needs, how it is started, and their tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use catgpt_scratch::Durability;
use serde_json::Value;

use crate::run::{self, Count};
use crate::servers::Servers;
use crate::{node, python};

/// An application.
#[derive(Debug)]
pub(crate) struct App {
    /// Its name.
    pub(crate) name: String,
    /// Where it runs.
    pub(crate) folder: PathBuf,
    run: Vec<String>,
    needs: Vec<String>,
    /// Whether it shows the page of `examples/web`.
    pub(crate) page: bool,
}

impl App {
    /// Whether it cannot do without `what`: `python`, `node`, `cargo`, `postgres`, `redis`.
    pub(crate) fn needs(&self, what: &str) -> bool {
        self.needs.iter().any(|need| need == what)
    }

    /// The command that starts it on a port of this machine.
    pub(crate) fn command(&self, root: &Path, port: u16) -> Command {
        let python = python::python(root);
        let fill = |word: &str| {
            let (python, bin) = (python.to_string_lossy(), root.join("target").join("debug"));
            word.replace("{python}", &python)
                .replace("{bin}", &bin.to_string_lossy())
                .replace("{port}", &port.to_string())
        };
        let mut words = self.run.iter().map(|word| fill(word));
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).current_dir(&self.folder).env("PORT", port.to_string());
        command
    }
}

/// All of them.
pub(crate) fn all(root: &Path) -> Result<Vec<App>, String> {
    let examples = root.join("examples");
    let text = std::fs::read_to_string(examples.join("apps.json")).map_err(|e| format!("examples/apps.json: {e}"))?;
    parse(&examples, &text).map_err(|e| format!("examples/apps.json: {e}"))
}

fn parse(examples: &Path, text: &str) -> Result<Vec<App>, String> {
    let table: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let table = table.as_object().ok_or("it is no table")?;
    table.iter().map(|(name, app)| one(examples, name, app).ok_or_else(|| format!("{name}: what is it?"))).collect()
}

fn one(examples: &Path, name: &str, app: &Value) -> Option<App> {
    let words = |key: &str| -> Option<Vec<String>> {
        app[key].as_array()?.iter().map(|word| word.as_str().map(str::to_owned)).collect()
    };
    let run = words("run").filter(|words| !words.is_empty())?;
    let folder = examples.join(app["folder"].as_str()?);
    Some(App { name: name.to_owned(), folder, run, needs: words("needs")?, page: app["page"].as_bool()? })
}

/// Installs and builds what these applications run with, beside the packages of Python and Node themselves.
pub(crate) fn prepare(root: &Path, apps: &[App]) -> Result<(), String> {
    let python: Vec<PathBuf> = apps.iter().filter(|app| app.needs("python")).flat_map(requirements).collect();
    python::require(root, &python)?;
    for app in apps.iter().filter(|app| app.needs("node")) {
        node::install(&app.folder)?;
    }
    for app in apps.iter().filter(|app| app.needs("cargo")) {
        run::show(run::cargo(&app.folder).args(["build", "--locked", "--quiet"]))?;
    }
    Ok(())
}

/// An application's lists of Python packages: what it runs with, and what its tests do.
fn requirements(app: &App) -> Vec<PathBuf> {
    let around = [app.folder.clone(), app.folder.join("tests"), app.folder.join("..").join("tests")];
    around.into_iter().map(|folder| folder.join("requirements.txt")).filter(|file| file.is_file()).collect()
}

/// The step: the tests of the applications' back ends, and the types of those in Python.
pub(crate) fn tests(root: &Path) -> (Count, Result<(), String>) {
    let mut count = Count::default();
    let result = every_test(root, &mut count);
    (count, result)
}

fn every_test(root: &Path, count: &mut Count) -> Result<(), String> {
    let apps = all(root)?;
    ready(root)?;
    prepare(root, &apps)?;
    let servers = Servers::start(Durability::None)?;
    for folder in tested(root)? {
        println!("pytest {}", folder.file_name().unwrap_or_default().display());
        let mut pytest = run::inside(&folder, python::python(root));
        // The plugin sums up as the tests of catgpt-py do.
        pytest
            .args(["-m", "pytest", "--color=no", "-p", "no:asyncio", "-p", "counted", "tests"])
            .env("PYTHONPATH", root.join("examples").join("kit"));
        add(count, run::tests(servers.tell(&mut pytest), run::PYTEST))?;
    }
    for app in apps.iter().filter(|app| app.needs("node")) {
        println!("npm test {}", app.name);
        add(count, run::tests(run::inside(&app.folder, "npm").args(["test", "--silent"]), run::CARGO_TEST))?;
    }
    for app in apps.iter().filter(|app| app.needs("python")) {
        println!("mypy {}", app.name);
        run::show(&mut mypy(root, app))?;
        *count += Count::ONE;
    }
    Ok(())
}

/// The packages that the applications use.
pub(crate) fn ready(root: &Path) -> Result<(), String> {
    python::install(root)?;
    node::build(root)
}

/// The folders of `examples/` that have tests in Python.
fn tested(root: &Path) -> Result<Vec<PathBuf>, String> {
    let list = |folder: &Path| -> Result<Vec<PathBuf>, String> {
        let entries = std::fs::read_dir(folder).map_err(|e| format!("cannot list {}: {e}", folder.display()))?;
        Ok(entries.flatten().map(|entry| entry.path()).collect())
    };
    let is_test = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("test_") && name.ends_with(".py")
    };
    let mut folders = list(&root.join("examples"))?;
    folders.retain(|folder| list(&folder.join("tests")).is_ok_and(|files| files.iter().any(is_test)));
    folders.sort();
    if folders.is_empty() { Err("no example has tests: the step has lost its object".into()) } else { Ok(folders) }
}

/// As the application's `pyproject.toml` says, or strict.
fn mypy(root: &Path, app: &App) -> Command {
    let cache = root.join("target").join("mypy").join(&app.name);
    let mut mypy = run::inside(&app.folder, python::python(root));
    mypy.args(["-m", "mypy", "--cache-dir"]).arg(cache);
    let own = std::fs::read_to_string(app.folder.join("pyproject.toml")).unwrap_or_default();
    if !own.contains("[tool.mypy]") {
        mypy.args(["--strict", "."]);
    }
    mypy
}

/// Counts a part of a step.
pub(crate) fn add(count: &mut Count, (more, result): (Count, Result<(), String>)) -> Result<(), String> {
    *count += more;
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = r#"{"cat": {"folder": "cat/backend", "needs": ["python", "redis"], "page": true,
        "run": ["{python}", "-m", "{bin}/main", "--port", "{port}"]}}"#;

    #[test]
    fn an_application_is_read_and_started_as_the_table_says() {
        let app = parse(Path::new("examples"), TABLE).unwrap().remove(0);
        assert_eq!(
            (app.name.as_str(), app.page, app.folder.as_path()),
            ("cat", true, Path::new("examples/cat/backend"))
        );
        assert!(app.needs("redis") && !app.needs("node"));
        let command = app.command(Path::new("/house"), 80);
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        assert_eq!(command.get_program(), python::python(Path::new("/house")));
        assert_eq!(words, ["-m", "/house/target/debug/main", "--port", "80"]);
    }

    #[test]
    fn a_table_that_cannot_be_used_is_refused_by_name() {
        for bad in [r#"{"cat": {}}"#, r#"{"cat": {"folder": "c", "needs": [], "page": true, "run": []}}"#] {
            assert!(parse(Path::new("."), bad).unwrap_err().contains("cat"), "{bad}");
        }
        assert!(parse(Path::new("."), "[]").is_err());
    }

    #[test]
    fn this_tree_has_applications_and_tests() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let apps = all(root).unwrap();
        assert!(apps.iter().all(|app| app.folder.is_dir()), "{apps:?}");
        assert!(!tested(root).unwrap().is_empty());
    }
}
