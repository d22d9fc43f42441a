//! `catgpt-node`: installed from its lock file, built, and tested as its users have it.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use catgpt_scratch::Durability;

use crate::run::{self, Count};
use crate::servers::Servers;

/// Builds the package, beside the AI SDK that its tests read with, then runs its tests, which `node` counts as cargo does.
pub(crate) fn tests(root: &Path) -> (Count, Result<(), String>) {
    let folder = root.join("catgpt-node");
    let built = build(root).and_then(|()| install(&folder.join("test/ai-sdk")));
    match built.and_then(|()| Servers::start(Durability::None)) {
        Ok(servers) => run::tests(servers.tell(npm(&folder).args(["test", "--silent"])), run::CARGO_TEST),
        Err(error) => (Count::default(), Err(error)),
    }
}

/// Builds the native half and the package as it stands in the tree: once in a run, for an earlier run's may be of another
/// tree.
pub(crate) fn build(root: &Path) -> Result<(), String> {
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    BUILT.get_or_init(|| make(root)).clone()
}

fn make(root: &Path) -> Result<(), String> {
    let folder = root.join("catgpt-node");
    tools(root)?;
    install(&folder)?;
    run::show(npm(&folder).args(["run", "--silent", "native"]))?;
    run::show(npm(&folder).args(["run", "--silent", "build"]))
}

/// Installs what a folder's lock file names.
pub(crate) fn install(folder: &Path) -> Result<(), String> {
    run::show(npm(folder).args(["ci", "--prefer-offline"]))
}

fn npm(folder: &Path) -> Command {
    run::inside(folder, "npm")
}

fn tools(root: &Path) -> Result<(), String> {
    let fits = "const [a, b] = process.versions.node.split('.'); process.exit(a > 22 || (a == 22 && b >= 12) || (a == 20 && b >= 19) ? 0 : 1)";
    if run::exists(run::inside(root, "node").args(["--eval", fits])) && run::exists(run::inside(root, "npm").arg("-v"))
    {
        return Ok(());
    }
    Err("catgpt-node needs Node 20.19, or 22.12 and later, with npm: https://nodejs.org/en/download, or\n\
         curl -fsSL https://deb.nodesource.com/setup_22.x | sudo bash - && sudo apt-get install -y nodejs"
        .into())
}
