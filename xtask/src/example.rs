//! `cargo xtask example NAME`: any application of `examples/apps.json` from a fresh clone, and its end with Ctrl-C.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use catgpt_scratch::Durability;
use signal_hook::consts::SIGINT;
use signal_hook::flag;

use crate::apps::{self, App};
use crate::servers::Servers;
use crate::{node, python, run, web};

/// What the model server for tests says under this name: 200 tokens, 30 ms apart.
const FAKE_MODEL: &str = "fake,n=200,d=30";

/// Starts the one that is named, or lists them.
pub(crate) fn run(root: &Path, args: &[&str]) -> Result<(), String> {
    let mut apps = apps::all(root)?;
    let names = apps.iter().map(|app| app.name.clone()).collect::<Vec<_>>().join(", ");
    let Some((name, options)) = args.split_first() else {
        println!("cargo xtask example NAME [--port N] [--fake], where NAME is one of: {names}");
        return Ok(());
    };
    let (port, fake) = read(options)?;
    apps.retain(|app| app.name == *name);
    match apps.first() {
        Some(app) => start(root, app, port, fake),
        None => Err(format!("there is no application `{name}`; there are: {names}")),
    }
}

fn read(options: &[&str]) -> Result<(u16, bool), String> {
    match options {
        [] => Ok((8000, false)),
        ["--fake", rest @ ..] => Ok((read(rest)?.0, true)),
        ["--port", port, rest @ ..] => Ok((port.parse().map_err(|_| "--port needs a number")?, read(rest)?.1)),
        _ => Err(format!("cannot use `{}`; there are --port N and --fake", options.join(" "))),
    }
}

fn start(root: &Path, app: &App, port: u16, fake: bool) -> Result<(), String> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    free.map_err(|e| format!("port {port} cannot be used ({e}): say another, with --port N"))?;
    build(root, app)?;
    let mut command = app.command(root, port);
    let servers = servers(app)?;
    servers.iter().for_each(|servers| _ = servers.tell(&mut command));
    let model = fake.then(|| Model::start(root)).transpose()?;
    if let Some(model) = &model {
        command.env_remove("OPENAI_API_KEY");
        command.env("OPENAI_BASE_URL", &model.url).env("OPENAI_MODEL", FAKE_MODEL).env("MODEL_NAME", FAKE_MODEL);
    }
    // The application hears Ctrl-C as well, and ends; what it stands on ends after it.
    flag::register(SIGINT, Arc::default()).map_err(|e| format!("Ctrl-C cannot be waited for: {e}"))?;
    println!("\n{}: http://127.0.0.1:{port}   (Ctrl-C ends it)\n", app.name);
    let mut child = command.spawn().map_err(|e| format!("cannot start {}: {e}", app.name))?;
    let status = child.wait().map_err(|e| format!("lost {}: {e}", app.name))?;
    drop((model, servers));
    // Ctrl-C, or an end in peace.
    if status.success() || status.signal().is_some() || status.code() == Some(130) {
        return Ok(());
    }
    Err(format!("{} ended with {status}", app.name))
}

fn build(root: &Path, app: &App) -> Result<(), String> {
    if app.needs("python") {
        python::install(root)?;
    }
    if app.needs("node") {
        node::build(root)?;
    }
    apps::prepare(root, std::slice::from_ref(app))?;
    if app.page { web::build(root) } else { Ok(()) }
}

/// Scratch servers for what the environment does not name; what is in them goes when they end.
fn servers(app: &App) -> Result<Option<Servers>, String> {
    let named = |name: &str| std::env::var_os(name).is_some();
    let missing = app.needs("postgres") && !named("DATABASE_URL") || app.needs("redis") && !named("REDIS_URL");
    missing.then(|| Servers::start(Durability::None)).transpose()
}

/// The model server for tests, until it is dropped.
struct Model {
    server: Child,
    url: String,
}

impl Model {
    fn start(root: &Path) -> Result<Self, String> {
        let words =
            ["--locked", "--quiet", "-p", "catgpt-core", "--features", "testkit", "--bin", "catgpt-fake-openai"];
        run::show(run::cargo(root).arg("build").args(words))?;
        let mut program = Command::new(root.join("target").join("debug").join("catgpt-fake-openai"));
        // Ctrl-C is for the application, whose answers it would cut off here.
        let server = program.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut model =
            Self { server: server.map_err(|e| format!("cannot start the model server: {e}"))?, url: String::new() };
        let said = model.server.stdout.take().ok_or("the model server has no output")?;
        BufReader::new(said).read_line(&mut model.url).map_err(|e| format!("the model server says nothing: {e}"))?;
        model.url.truncate(model.url.trim_end().len());
        Ok(model)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        _ = self.server.kill();
        _ = self.server.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_in_any_order() {
        assert_eq!(read(&[]), Ok((8000, false)));
        assert_eq!(read(&["--fake", "--port", "9"]), Ok((9, true)));
        assert_eq!(read(&["--port", "9", "--fake"]), Ok((9, true)));
        assert!(read(&["--port"]).is_err() && read(&["--port", "many"]).is_err());
        assert!(read(&["--real"]).unwrap_err().contains("--fake"));
    }

    #[test]
    fn an_unknown_application_is_refused_with_those_that_there_are() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert!(run(root, &["no-such"]).unwrap_err().contains("node-express"));
        assert_eq!(run(root, &[]), Ok(()));
    }
}
