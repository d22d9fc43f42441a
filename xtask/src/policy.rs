//! The rules of deny.toml without cargo-deny: licences, banned crates, sources. Advisories need its database.

use std::path::Path;

use toml::{Table, Value};

use crate::metadata::{self, Package};

/// What deny.toml asks for.
#[derive(Debug, Default)]
struct Policy {
    licences: Vec<String>,
    banned: Vec<String>,
    registries: Vec<String>,
}

/// Checks every package of the graph and gives a line of figures.
pub(crate) fn check(root: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(root.join("deny.toml")).map_err(|e| format!("cannot read deny.toml: {e}"))?;
    let policy = Policy::parse(&text)?;
    let (packages, every_platform) = metadata::packages(root)?;
    let wrong: Vec<String> = packages.iter().flat_map(|package| policy.complaints(package)).collect();
    if !wrong.is_empty() {
        return Err(wrong.join("\n"));
    }
    let scope = if every_platform { "every platform" } else { "this platform only: the others' crates are not here" };
    Ok(format!("{} packages, {scope}", packages.len()))
}

impl Policy {
    fn parse(text: &str) -> Result<Self, String> {
        let table: Table = text.parse().map_err(|e| format!("deny.toml: {e}"))?;
        let list = |section: &str, key: &str| -> Result<Vec<String>, String> {
            let list = table.get(section).and_then(|s| s.get(key)).and_then(Value::as_array);
            let list = list.ok_or_else(|| format!("deny.toml needs the list `{key}` in [{section}]"))?;
            let name = |v: &Value| v.as_str().or_else(|| v.get("crate").and_then(Value::as_str)).map(str::to_owned);
            list.iter()
                .map(|v| name(v).ok_or_else(|| format!("deny.toml: an entry of `{key}` in [{section}] names nothing")))
                .collect()
        };
        Ok(Self {
            licences: list("licenses", "allow")?,
            banned: list("bans", "deny")?,
            registries: list("sources", "allow-registry")?,
        })
    }

    fn complaints(&self, package: &Package) -> Vec<String> {
        let mut wrong = Vec::new();
        let name = format!("{} {}", package.name, package.version);
        match &package.licence {
            None => wrong.push(format!("{name}: it declares no licence")),
            Some(licence) if !self.allows(licence) => {
                wrong.push(format!("{name}: its licence `{licence}` is not allowed by deny.toml"));
            }
            Some(_) => {}
        }
        if self.banned.contains(&package.name) {
            wrong.push(format!("{name}: deny.toml bans it; `cargo tree --all-features -i {}` shows why", package.name));
        }
        if package.source.as_ref().is_some_and(|source| !self.knows(source)) {
            wrong.push(format!("{name}: it comes from none of deny.toml's registries"));
        }
        wrong
    }

    fn knows(&self, source: &str) -> bool {
        source.strip_prefix("registry+").is_some_and(|url| self.registries.iter().any(|known| known == url))
    }

    fn allows(&self, licence: &str) -> bool {
        let spaced = licence.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
        // What is left over, or cannot be read, is unknown and so not allowed.
        self.any(&mut words).is_some_and(|allowed| allowed && words.is_empty())
    }

    /// `all (OR all)*`. The words are a stack, the next one last.
    fn any(&self, words: &mut Vec<&str>) -> Option<bool> {
        let mut allowed = self.all(words)?;
        while words.pop_if(|word| *word == "OR").is_some() {
            allowed |= self.all(words)?;
        }
        Some(allowed)
    }

    /// `one (AND one)*`
    fn all(&self, words: &mut Vec<&str>) -> Option<bool> {
        let mut allowed = self.one(words)?;
        while words.pop_if(|word| *word == "AND").is_some() {
            allowed &= self.one(words)?;
        }
        Some(allowed)
    }

    /// `( any )`, or a licence with or without an exception.
    fn one(&self, words: &mut Vec<&str>) -> Option<bool> {
        let word = words.pop()?;
        if word == "(" {
            let allowed = self.any(words)?;
            return (words.pop()? == ")").then_some(allowed);
        }
        let mut licence = word.to_owned();
        if words.pop_if(|word| *word == "WITH").is_some() {
            licence = format!("{licence} WITH {}", words.pop()?);
        }
        Some(self.licences.contains(&licence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = r#"
        [licenses]
        allow = ["MIT", "ISC", "Unicode-3.0"]
        [bans]
        deny = [{ crate = "openssl-sys", reason = "rustls" }]
        [sources]
        allow-registry = ["https://example.com/index"]
    "#;

    #[track_caller]
    fn complaints(name: &str, licence: Option<&str>, source: Option<&str>) -> String {
        let package = Package {
            name: name.into(),
            version: "1.0.0".into(),
            licence: licence.map(Into::into),
            source: source.map(Into::into),
            examples: Vec::new(),
        };
        Policy::parse(TOML).unwrap().complaints(&package).join("\n")
    }

    #[test]
    fn licence_expressions_are_judged() {
        let policy = Policy::parse(TOML).unwrap();
        for good in ["MIT", "MIT OR GPL-3.0", "GPL-3.0/MIT", "MIT AND ISC", "(GPL-3.0 OR MIT) AND Unicode-3.0"] {
            assert!(policy.allows(good), "{good}");
        }
        let bad = ["", "GPL-3.0", "MIT AND GPL-3.0", "MIT OR", "(MIT", "MIT)", "MIT ISC", "MIT WITH X", "mit", "AND"];
        for bad in bad {
            assert!(!policy.allows(bad), "{bad}");
        }
    }

    #[test]
    fn every_rule_catches_its_planted_package() {
        let registry = Some("registry+https://example.com/index");
        assert_eq!(complaints("good", Some("MIT"), registry), "");
        assert_eq!(complaints("ours", Some("MIT"), None), "");
        assert!(complaints("x", Some("GPL-3.0"), registry).contains("not allowed"));
        assert!(complaints("x", None, registry).contains("no licence"));
        assert!(complaints("openssl-sys", Some("MIT"), registry).contains("bans it"));
        assert!(complaints("x", Some("MIT"), Some("git+https://example.com/x")).contains("registries"));
        assert!(complaints("x", Some("MIT"), Some("registry+https://example.org/index")).contains("registries"));
    }

    #[test]
    fn an_incomplete_file_is_refused() {
        for bad in ["", "[licenses]\nallow = [1]", &TOML.replace("deny =", "skip ="), "["] {
            assert!(Policy::parse(bad).is_err(), "{bad}");
        }
    }
}
