//! The arrows between the core's modules: who may use whom, and what the pure middle may not touch.
//!
//! `data ← seams ← persona, body, hooks, observe ← prompt, turn, wire ← runner, reply ← session, user, engine ← bridge`:
//! an arrow points at what is used.
//! `model/*`, `memory/*` and `live/*` are leaves: they use data and their own seam, and nothing in the middle names
//! them. A new file of the core gets its line in [`MODULES`] or [`UNDER_SEAMS`], and so its place in the picture.

use super::Finding;
use super::text::Source;

const CORE: &str = "catgpt-core/src/";
const TABLE: &str = "xtask/src/tidy/arrows.rs";

/// The layers, from the floor up. A module may use those of lower layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    /// Plain data. These modules may also use each other.
    Data,
    /// A seam: the trait and its data, in the file that bears its name. Seams do not know each other.
    Seam,
    /// What is put together from what the seams define: a persona holds a model's parameters, a body is folded from the
    /// memory's pieces, a hook sees what a model is asked. These modules do not know each other.
    Form,
    /// Pure logic. These modules do not know each other.
    Pure,
    /// Where model, memory and live meet. These modules may also use each other.
    Run,
    /// What users hold. A module may also use those that stand before it in the table.
    Handle,
    /// The front ends' common part: it stands outside, chooses leaves by their names, and nothing uses it.
    Front,
    /// Tools for tests: they use data and seams, and nothing uses them.
    Kit,
}

use Layer::{Data, Form, Front, Handle, Kit, Pure, Run, Seam};

/// The core's modules in the order of the picture.
const MODULES: &[(&str, Layer)] = &[
    ("id", Data),
    ("error", Data),
    ("message", Data),
    ("encryption", Data),
    ("event", Data),
    ("prices", Data),
    ("protocol", Data),
    ("model", Seam),
    ("memory", Seam),
    ("live", Seam),
    ("body", Form),
    ("persona", Form),
    ("hooks", Form),
    ("tools", Form),
    ("limits", Form),
    ("observe", Form),
    ("prompt", Pure),
    ("search", Pure),
    ("turn", Pure),
    ("wire", Pure),
    ("reply", Run),
    ("runner", Run),
    ("transfer", Handle),
    ("session", Handle),
    ("user", Handle),
    ("engine", Handle),
    ("bridge", Front),
    ("testkit", Kit),
];

/// What stands under a seam: a leaf, with the types that it gives to users, or (`None`) a part of the seam itself.
type Under = (&'static str, &'static str, Option<&'static [&'static str]>);

const UNDER_SEAMS: &[Under] = &[
    ("model", "by_name", Some(&["ByName"])),
    ("model", "cached", Some(&["Cached"])),
    ("model", "retry", None),
    ("model", "decode", Some(&[])),
    ("model", "failure", Some(&[])),
    ("model", "http", Some(&[])),
    ("model", "said", Some(&[])),
    // Chooses among the leaves by what their names begin with.
    ("model", "named", Some(&[])),
    ("model", "anthropic", Some(&["Anthropic"])),
    ("model", "responses", Some(&["Responses"])),
    ("model", "sse", Some(&[])),
    ("model", "openai", Some(&["OpenAi", "Images"])),
    ("model", "offline", Some(&["Offline"])),
    ("model", "scripted", Some(&["Scripted"])),
    ("memory", "check", None),
    ("memory", "limits", None),
    ("memory", "ops", None),
    ("memory", "queries", None),
    ("memory", "turns", None),
    ("memory", "json", None),
    ("memory", "rows", None),
    ("memory", "url", None),
    ("memory", "in_memory", Some(&["InMemory"])),
    ("memory", "postgres", Some(&["Postgres"])),
    ("memory", "sqlite", Some(&["Sqlite"])),
    ("memory", "encrypted", None),
    ("memory", "conformance", Some(&[])),
    // The log of a turn that runs here: the runner writes it and every other live log is filled from it.
    ("live", "local", None),
    ("live", "url", None),
    ("live", "encrypted", None),
    ("live", "in_memory", Some(&["InMemoryLive"])),
    ("live", "redis", Some(&["Redis"])),
    ("live", "conformance", Some(&[])),
];

/// The one choice of a leaf in the middle: what an engine is given that is told nothing.
const DEFAULT: (&str, &str) = ("engine", "InMemory");

/// What pure code does not know: the runtime, the network, files, threads, the clock.
const IMPURE: [&str; 10] = [
    "tokio",
    "reqwest",
    "rusqlite",
    "std::fs",
    "std::net",
    "std::thread",
    "async fn",
    ".await",
    "Instant::now",
    "SystemTime::now",
];

/// Checks a file of the core; other files have no findings.
pub(super) fn check(source: &Source<'_>) -> Vec<Finding> {
    let Some(path) = source.path.strip_prefix(CORE) else { return Vec::new() };
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    let parts: Vec<&str> = path.split('/').collect();
    // The root names everything, and a program beside the library is not in the picture.
    if path == "lib" || parts[0] == "bin" || source.is_test() {
        return Vec::new();
    }
    let Some(from) = rank(parts[0]) else {
        return vec![Finding::at(
            0,
            format!("no layer is given for the module `{}`: add it to MODULES in {TABLE}", parts[0]),
        )];
    };
    if from.1 == Seam && parts.len() > 1 && under(parts[0], parts[1]).is_none() {
        let message =
            format!("`{}/{}` is neither a leaf nor a part: add it to UNDER_SEAMS in {TABLE}", parts[0], parts[1]);
        return vec![Finding::at(0, message)];
    }
    let product = source.product();
    let mut found: Vec<Finding> =
        paths(&product, parts.len()).iter().filter_map(|used| judge(parts[0], from, used)).collect();
    if matches!(from.1, Form | Pure | Run | Handle) {
        found.extend(leaf_types(parts[0], &product));
    }
    if from.1 == Pure {
        found.extend(impure(parts[0], &product));
    }
    found
}

/// Where a module stands in the table.
fn rank(module: &str) -> Option<(usize, Layer)> {
    MODULES.iter().position(|(name, _)| *name == module).map(|n| (n, MODULES[n].1))
}

fn under(seam: &str, name: &str) -> Option<&'static Under> {
    UNDER_SEAMS.iter().find(|(s, n, _)| (*s, *n) == (seam, name))
}

/// A path into the crate: the line, the module and what follows it.
#[derive(Debug, PartialEq, Eq)]
struct Used {
    line: usize,
    module: String,
    next: Vec<String>,
}

fn judge(module: &str, (place, layer): (usize, Layer), used: &Used) -> Option<Finding> {
    let wrong = |message: String| Some(Finding::at(used.line, message));
    let name = &used.module;
    if name == module {
        return None;
    }
    let Some((other_place, other)) = rank(name) else {
        return wrong(format!(
            "`crate::{name}`: name the module that owns it, or add the module to MODULES in {TABLE}"
        ));
    };
    let allowed = match layer {
        Data | Run => other <= layer,
        Handle => other < layer || (other == layer && other_place < place),
        Kit => other < Form,
        Seam | Form | Pure | Front => other < layer,
    };
    if !allowed {
        return wrong(format!(
            "`{module}` ({layer:?}) must not use `{name}` ({other:?}): arrows point down, see {TABLE}"
        ));
    }
    if layer == Front {
        return None;
    }
    let leaf = used.next.iter().find(|next| under(name, next).is_some_and(|(_, _, types)| types.is_some()))?;
    wrong(format!("`{module}` must not name the leaf `{name}::{leaf}`; it knows only the seam"))
}

/// Every path that begins at the crate's root, in a file `depth` modules below it.
fn paths(code: &str, depth: usize) -> Vec<Used> {
    let climb = "super::".repeat(depth);
    let mut found = Vec::new();
    for root in ["crate::", climb.as_str()] {
        for (at, _) in code.match_indices(root) {
            let (before, rest) = (&code[..at], &code[at + root.len()..]);
            let line = before.matches('\n').count() + 1;
            let used = branches(rest).into_iter().map(|(module, next)| Used { line, module, next });
            // An inner module climbs to its own file, so only what the table knows counts.
            found.extend(used.filter(|used| root == "crate::" || rank(&used.module).is_some()));
        }
    }
    found
}

/// `a::b` is one branch, `{a::{b, c}, d}` are two: the first name of each, and the names that follow it directly.
/// Macros are left out: those that are exported stand at the root, wherever they are written.
fn branches(rest: &str) -> Vec<(String, Vec<String>)> {
    let each = group(rest).unwrap_or_else(|| vec![rest]);
    let split = each.into_iter().map(|branch| (ident(branch), &branch.trim_start()[ident(branch).len()..]));
    let is_macro = |name: &str, after: &str| name.starts_with("__") || after.starts_with('!');
    let modules = split.filter(|(name, after)| !name.is_empty() && !is_macro(name, after));
    modules.map(|(name, after)| (name, following(after.trim_start()))).collect()
}

fn following(rest: &str) -> Vec<String> {
    let Some(rest) = rest.strip_prefix("::") else { return Vec::new() };
    group(rest).unwrap_or_else(|| vec![rest]).into_iter().map(ident).collect()
}

/// The members of `{a, b::{c, d}}`, if a brace begins here.
fn group(rest: &str) -> Option<Vec<&str>> {
    let inner = rest.trim_start().strip_prefix('{')?;
    let (mut depth, mut start, mut members) = (0usize, 0, Vec::new());
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                members.push(&inner[start..at]);
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    Some(members)
}

fn ident(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn leaf_types(module: &str, product: &str) -> Vec<Finding> {
    let types: Vec<&str> = UNDER_SEAMS.iter().filter_map(|(_, _, types)| *types).flatten().copied().collect();
    let words = (1..).zip(product.lines()).flat_map(|(n, line)| words(line).map(move |word| (n, word)));
    let named = words.filter(|(_, word)| types.contains(word) && (module, *word) != DEFAULT);
    named.map(|(n, word)| Finding::at(n, format!("`{word}` is a leaf; the middle knows only the seam"))).collect()
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
}

fn impure(module: &str, product: &str) -> Vec<Finding> {
    let lines = (1..).zip(product.lines());
    let named =
        lines.flat_map(|(n, line)| IMPURE.iter().filter(|word| line.contains(**word)).map(move |word| (n, word)));
    named
        .map(|(n, word)| Finding::at(n, format!("`{module}` is pure: `{word}` belongs into the runner or a leaf")))
        .collect()
}

#[cfg(test)]
mod tests;
