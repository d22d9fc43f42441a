//! The long form of `catgpt-core/tests/chaos.rs`, which runs for half a minute in `cargo xtask test`.

use std::path::Path;

use crate::run;

/// The test, and the variables that tell it how long to run and what its chances come from.
const TEST: &str = "nothing_is_lost_doubled_or_left_hanging_whatever_breaks";
const SECONDS: &str = "CATGPT_CHAOS_SECONDS";
const SEED: &str = "CATGPT_CHAOS_SEED";

/// Runs it for ten minutes, or as `--seconds N` and `--seed N` say.
pub(crate) fn run(root: &Path, options: &[&str]) -> Result<(), String> {
    let mut cargo = run::cargo(root);
    // Not nextest, which ends what takes longer than three minutes.
    cargo.args([
        "test",
        "--locked",
        "-p",
        "catgpt-core",
        "--all-features",
        "--test",
        "chaos",
        "--",
        "--nocapture",
        TEST,
    ]);
    for (name, value) in variables(options)? {
        cargo.env(name, value.to_string());
    }
    run::show(&mut cargo)
}

fn variables(options: &[&str]) -> Result<Vec<(&'static str, u64)>, String> {
    let mut variables = vec![(SECONDS, 600)];
    for option in options.chunks(2) {
        let name = match option[0] {
            "--seconds" => SECONDS,
            "--seed" => SEED,
            unknown => return Err(format!("there is no option `{unknown}`; there are --seconds and --seed")),
        };
        let value = option.get(1).and_then(|value| value.parse().ok());
        variables.push((name, value.ok_or_else(|| format!("{} needs a number", option[0]))?));
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_numbers() {
        assert_eq!(variables(&[]), Ok(vec![(SECONDS, 600)]));
        assert_eq!(variables(&["--seed", "7", "--seconds", "9"]), Ok(vec![(SECONDS, 600), (SEED, 7), (SECONDS, 9)]));
        assert!(variables(&["--seed"]).unwrap_err().contains("number"));
        assert!(variables(&["--speed", "7"]).unwrap_err().contains("--seed"));
    }
}
