//! The dependency tree: what must stay out of the core, and how large the trees may grow.

use std::collections::BTreeSet;
use std::path::Path;

use crate::run;

/// The most crates that the core links with its default features, proc macros not counted. It has no slack, so that
/// each new one is a decision: raise it in the commit that says why. (105 was the estimate; httpdate came, and two
/// for the words of a search.)
const CORE_CEILING: usize = 108;
/// The most crates that the feature `postgres` adds to those: the driver, its pool, and what SCRAM needs.
const POSTGRES_CEILING: usize = 28;
/// The most crates that the feature `redis` adds: the protocol, and what it opens connections with.
const REDIS_CEILING: usize = 9;
/// The most crates that the command line links beyond the core's, PostgreSQL's and Redis' (it has them all): the
/// words, the folders, completions and the manual, keys that are asked for unseen, the line editor and the terminal's width.
/// (The last one, buffer-redux, keeps what was typed ahead of a prompt: the line editor throws it away without.)
const CLI_CEILING: usize = 41;

/// The most crates that the tools of MCP servers link beyond the core without its features: the official client, and what
/// starts a program.
const MCP_CEILING: usize = 21;

/// HTTP, TLS and databases: what the core without default features must not have.
const OUTSIDE: [&str; 24] = [
    "aws-lc-rs",
    "aws-lc-sys",
    "curl",
    "deadpool",
    "deadpool-postgres",
    "h2",
    "http",
    "hyper",
    "hyper-util",
    "libsqlite3-sys",
    "native-tls",
    "openssl",
    "openssl-sys",
    "postgres-types",
    "redis",
    "reqwest",
    "ring",
    "rusqlite",
    "rustls",
    "rustls-webpki",
    "sqlx",
    "sqlx-core",
    "tokio-postgres",
    "tokio-rustls",
];

/// Checks the trees and gives a line of figures.
pub(crate) fn check(root: &Path, has_cli: bool) -> Result<String, String> {
    let bare = crates_of(root, &["-p", "catgpt-core", "--no-default-features", "-e", "normal"])?;
    nothing_outside(&bare)?;
    let core = crates_of(root, &["-p", "catgpt-core", "-e", "normal,no-proc-macro"])?;
    below("the core", core.len(), CORE_CEILING)?;
    let with = |features| crates_of(root, &["-p", "catgpt-core", "--features", features, "-e", "normal,no-proc-macro"]);
    let postgres = with("postgres")?.difference(&core).count();
    below("the feature `postgres` beyond the core", postgres, POSTGRES_CEILING)?;
    let redis = with("redis")?.difference(&core).count();
    below("the feature `redis` beyond the core", redis, REDIS_CEILING)?;
    let mcp = crates_of(root, &["-p", "catgpt-mcp", "-e", "normal,no-proc-macro"])?;
    let mcp = mcp.difference(&bare).filter(|name| *name != "catgpt-core").count();
    below("catgpt-mcp beyond the bare core", mcp, MCP_CEILING)?;
    let (bare, all) = (bare.len(), core.len());
    let mut figures = format!(
        "bare core {bare} crates, core {all} of {CORE_CEILING}, postgres {postgres} more of {POSTGRES_CEILING}, redis \
         {redis} more of {REDIS_CEILING}, mcp {mcp} more of {MCP_CEILING}"
    );
    if has_cli {
        let cli = crates_of(root, &["-p", "catgpt-cli", "-e", "normal,no-proc-macro"])?;
        let beyond = cli.difference(&with("postgres,redis")?).count();
        below("the command line beyond the core and its servers", beyond, CLI_CEILING)?;
        figures += &format!(", command line {beyond} more of {CLI_CEILING}");
    }
    Ok(figures)
}

fn crates_of(root: &Path, args: &[&str]) -> Result<BTreeSet<String>, String> {
    let tree = run::output(run::cargo(root).args(["tree", "--locked", "--prefix", "none"]).args(args))?;
    Ok(crates(&tree))
}

/// The names of a tree without its first, which is the package itself. Two versions of a crate are one name.
fn crates(tree: &str) -> BTreeSet<String> {
    let names = tree.lines().filter_map(|line| line.split_whitespace().next());
    let mut names = names.map(str::to_owned);
    let itself = names.next();
    names.filter(|name| Some(name) != itself.as_ref()).collect()
}

fn nothing_outside(bare: &BTreeSet<String>) -> Result<(), String> {
    if bare.is_empty() {
        return Err("cargo tree shows no dependencies of the core: the check has lost its object".into());
    }
    let found: Vec<&str> = OUTSIDE.into_iter().filter(|name| bare.contains(*name)).collect();
    if found.is_empty() {
        return Ok(());
    }
    Err(format!(
        "without default features the core must have no HTTP, TLS or database crate, but it has: {}\n\
         see who brings it: cargo tree -p catgpt-core --no-default-features -e normal -i {}",
        found.join(", "),
        found[0]
    ))
}

fn below(what: &str, count: usize, ceiling: usize) -> Result<(), String> {
    if count <= ceiling {
        return Ok(());
    }
    Err(format!("{what} links {count} crates, the ceiling is {ceiling}: drop one, or raise it in xtask/src/tree.rs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "catgpt-core v0.1.0 (/somewhere/catgpt-core)\nbytes v1.12.1\nsyn v2.0.1 (proc-macro)\nsyn v3.0.1\nbytes v1.12.1 (*)\n";

    #[test]
    fn a_tree_is_counted_by_name_without_its_root() {
        assert_eq!(crates(TREE), ["bytes".to_owned(), "syn".to_owned()].into());
        assert!(crates("").is_empty());
    }

    #[test]
    fn a_planted_client_is_found() {
        assert_eq!(nothing_outside(&crates(TREE)), Ok(()));
        for planted in OUTSIDE {
            let error = nothing_outside(&crates(&format!("{TREE}{planted} v1.0.0\n"))).unwrap_err();
            assert!(error.contains(planted), "{error}");
        }
        assert!(nothing_outside(&crates("catgpt-core v0.1.0\n")).is_err(), "an empty tree proves nothing");
    }

    #[test]
    fn a_ceiling_holds() {
        assert_eq!(below("x", 5, 5), Ok(()));
        assert!(below("x", 6, 5).unwrap_err().contains("6 crates"));
    }
}
