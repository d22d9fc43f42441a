//! `catgpt-node`: installed from its lock file, built, and tested as its users have it.

use std::path::Path;

use catgpt_scratch::Durability;

use crate::run::{self, Count};
use crate::servers::Servers;

/// Builds the native half and the package, beside the AI SDK that its tests read with, then runs its tests, which `node` counts as cargo does.
pub(crate) fn tests(root: &Path) -> (Count, Result<(), String>) {
    let folder = root.join("catgpt-node");
    let npm = |args: &[&str]| {
        let mut npm = run::inside(&folder, "npm");
        npm.args(args);
        npm
    };
    let built = tools(root)
        .and_then(|()| run::show(&mut npm(&["ci", "--prefer-offline"])))
        .and_then(|()| run::show(run::inside(&folder.join("test/ai-sdk"), "npm").args(["ci", "--prefer-offline"])))
        .and_then(|()| run::show(&mut npm(&["run", "--silent", "native"])))
        .and_then(|()| run::show(&mut npm(&["run", "--silent", "build"])));
    match built.and_then(|()| Servers::start(Durability::None)) {
        Ok(servers) => run::tests(servers.tell(&mut npm(&["test", "--silent"])), run::CARGO_TEST),
        Err(error) => (Count::default(), Err(error)),
    }
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
