//! The words of the commands that search and change chats.

use std::time::Duration;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Search {
    /// The words; the last one may be a beginning
    #[arg(value_name = "WORD", required = true)]
    pub(crate) words: Vec<String>,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Rename {
    /// Which chat: a name, an id's beginning, @ or @N
    #[arg(value_name = "CHAT")]
    pub(crate) chat: String,
    /// Its title
    #[arg(value_name = "TITLE", required = true)]
    pub(crate) title: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct These {
    /// Which chats: names, ids' beginnings, @ or @N
    #[arg(value_name = "CHAT", required = true)]
    pub(crate) chats: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Which chats: names, ids' beginnings, @ or @N
    #[arg(value_name = "CHAT", required_unless_present_any = ["empty", "all", "older_than"])]
    pub(crate) chats: Vec<String>,
    /// Those that were not used for so long: 12h, 30d, 8w; pinned ones stay
    #[arg(long, value_name = "AGE", value_parser = age, conflicts_with_all = ["chats", "all", "empty"])]
    pub(crate) older_than: Option<Duration>,
    /// Those in which nothing was ever said
    #[arg(long, conflicts_with_all = ["chats", "all"])]
    pub(crate) empty: bool,
    /// All of them, and whatever else is kept of you
    #[arg(long, conflicts_with = "chats")]
    pub(crate) all: bool,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Branches {
    /// Which chat: a name, an id's beginning, @ or @N
    #[arg(value_name = "CHAT")]
    pub(crate) chat: String,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Select {
    /// Which chat: a name, an id's beginning, @ or @N
    #[arg(value_name = "CHAT")]
    pub(crate) chat: String,
    /// A message of the branch
    #[arg(value_name = "MESSAGE")]
    pub(crate) message: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Fork {
    /// Which chat: a name, an id's beginning, @ or @N
    #[arg(value_name = "CHAT")]
    pub(crate) chat: String,
    /// The last message of the copy; else all of the branch that is shown
    #[arg(long, value_name = "N")]
    pub(crate) at: Option<u64>,
    /// The same as --at
    #[arg(value_name = "MESSAGE", hide = true, conflicts_with = "at")]
    pub(crate) message: Option<u64>,
    /// What the copy is called; else it has an id
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Go on after this number, as it stands in the first column
    #[arg(long, value_name = "N")]
    pub(crate) after: Option<u64>,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// How long ago: a number of hours, days or weeks.
fn age(text: &str) -> Result<Duration, &'static str> {
    let wrong = "an age is expected: 12h, 30d or 8w";
    let unit = match text.as_bytes().last() {
        Some(b'h') => 3600,
        Some(b'd') => 24 * 3600,
        Some(b'w') => 7 * 24 * 3600,
        _ => return Err(wrong),
    };
    let count: u32 = text[..text.len() - 1].parse().ok().filter(|count| *count > 0).ok_or(wrong)?;
    Ok(Duration::from_secs(u64::from(count) * unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_hours_days_or_weeks() {
        for (text, hours) in [("12h", 12), ("30d", 720), ("1w", 168), ("4294967295w", 4_294_967_295 * 168)] {
            assert_eq!(age(text), Ok(Duration::from_secs(hours * 3600)), "{text}");
        }
        for wrong in ["", "d", "0d", "-1d", "30", "1 d", "1m", "1.5d", "99999999999d", "1ü"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }
}
