//! What `cargo metadata` says about the workspace and its packages, as far as the checks use it.

use std::path::Path;

use serde_json::Value;

use crate::run;

/// A package of the dependency graph.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// Its licence expression.
    pub(crate) licence: Option<String>,
    /// Where it comes from; `None` for a folder of this workspace.
    pub(crate) source: Option<String>,
    /// Its examples.
    pub(crate) examples: Vec<String>,
}

/// The members of the workspace.
pub(crate) fn members(root: &Path) -> Result<Vec<Package>, String> {
    read(root, &["--no-deps"])
}

/// All packages that any platform and feature needs. The flag is false if only this platform's could be had, which
/// happens without a network when the others were never downloaded.
pub(crate) fn packages(root: &Path) -> Result<(Vec<Package>, bool), String> {
    if let Ok(all) = read(root, &["--all-features"]) {
        return Ok((all, true));
    }
    let rustc = run::output(std::process::Command::new("rustc").arg("-vV"))?;
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc -vV names no host")?;
    Ok((read(root, &["--all-features", "--filter-platform", host])?, false))
}

fn read(root: &Path, args: &[&str]) -> Result<Vec<Package>, String> {
    let mut cargo = run::cargo(root);
    let json = run::output(cargo.args(["metadata", "--format-version", "1", "--locked"]).args(args))?;
    parse(&json)
}

fn parse(json: &str) -> Result<Vec<Package>, String> {
    let value: Value = serde_json::from_str(json).map_err(|e| format!("cargo metadata wrote no JSON: {e}"))?;
    let packages = value["packages"].as_array().ok_or("cargo metadata lists no packages")?;
    Ok(packages.iter().map(package).collect())
}

fn package(value: &Value) -> Package {
    let text = |key: &str| value[key].as_str().map(str::to_owned);
    let targets = value["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let examples = targets.iter().filter(|target| target["kind"][0] == "example");
    Package {
        name: text("name").unwrap_or_default(),
        version: text("version").unwrap_or_default(),
        licence: text("license"),
        source: text("source"),
        examples: examples.filter_map(|target| target["name"].as_str().map(str::to_owned)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_read_with_their_examples() {
        let json = r#"{"packages": [
            {"name": "a", "version": "1.0.0", "license": "MIT", "source": null, "targets": [
                {"kind": ["lib"], "name": "a"}, {"kind": ["example"], "name": "quickstart"}]},
            {"name": "b", "version": "2.0.0", "license": null, "source": "registry+x", "targets": []}]}"#;
        let read = parse(json).unwrap();
        assert_eq!(read[0].examples, ["quickstart"]);
        assert_eq!((read[0].licence.as_deref(), read[0].source.as_deref()), (Some("MIT"), None));
        assert_eq!((read[1].licence.as_deref(), read[1].source.as_deref()), (None, Some("registry+x")));
        assert!(parse("{}").is_err() && parse("error").is_err());
    }
}
