//! Whether a stream gets colours, and other marks that only terminals understand.

use std::io::IsTerminal;

use crate::args::When;
use crate::config::var;

/// As the option says; else as the user's environment and the stream do.
pub(crate) fn enabled(when: When, stream: &impl IsTerminal) -> bool {
    decide(when, stream.is_terminal(), var)
}

/// Whether somebody looks at the stream on a terminal that can write over a line.
pub(crate) fn is_lively(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && var("TERM").as_deref() != Some("dumb")
}

fn decide(when: When, terminal: bool, var: impl Fn(&str) -> Option<String>) -> bool {
    let is = |name: &str, value: &str| var(name).as_deref() == Some(value);
    match when {
        When::Always => true,
        When::Never => false,
        // no-color.org: whatever it says, if it says something.
        When::Auto if var("NO_COLOR").is_some() => false,
        When::Auto if var("CLICOLOR_FORCE").is_some() && !is("CLICOLOR_FORCE", "0") => true,
        When::Auto => terminal && !is("CLICOLOR", "0") && !is("TERM", "dumb"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_comes_first_then_the_environment_then_the_stream() {
        let decided = |when, terminal, vars: &[(&str, &str)]| {
            decide(when, terminal, |name| {
                vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert!(decided(When::Auto, true, &[]) && !decided(When::Auto, false, &[]));
        for (name, value, on_terminal, in_pipe) in [
            ("NO_COLOR", "yes", false, false),
            ("NO_COLOR", "0", false, false),
            ("CLICOLOR_FORCE", "1", true, true),
            ("CLICOLOR_FORCE", "0", true, false),
            ("CLICOLOR", "0", false, false),
            ("TERM", "dumb", false, false),
            ("TERM", "xterm", true, false),
        ] {
            let vars = [(name, value)];
            let found = (decided(When::Auto, true, &vars), decided(When::Auto, false, &vars));
            assert_eq!(found, (on_terminal, in_pipe), "{name}={value}");
            assert!(decided(When::Always, false, &vars) && !decided(When::Never, true, &vars), "{name}={value}");
        }
        assert!(!decided(When::Auto, true, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]));
    }
}
