//! What a line says: something to the model, or a command.

/// A line, understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// Nothing at all.
    Nothing,
    /// This is said.
    Say(&'a str),
    Help,
    New(Option<&'a str>),
    Open(&'a str),
    List,
    Search(&'a str),
    Rename(&'a str),
    Fork(Option<&'a str>),
    Undo,
    Retry,
    Continue,
    Edit,
    Persona(Option<&'a str>),
    Model(Option<&'a str>),
    File(&'a str),
    Quit,
    /// It cannot be done, for this reason.
    Wrong(String),
}

/// The commands: name, what follows, and what it does.
pub(super) const COMMANDS: [(&str, &str, &str); 15] = [
    ("/help", "", "show this"),
    ("/new", "[NAME]", "begin another chat"),
    ("/open", "CHAT", "go on with a chat: its number in the list, name, id, @ or @N"),
    ("/list", "", "list the chats used last"),
    ("/search", "WORDS", "find messages and titles that have all of these words"),
    ("/rename", "TITLE", "give this chat another title"),
    ("/fork", "[NAME]", "copy this chat, and go on in the copy"),
    ("/undo", "", "go back to before the last exchange; it stays on a branch"),
    ("/retry", "", "ask for another answer"),
    ("/continue", "", "go on with an answer that was cut off"),
    ("/edit", "", "say your last message otherwise, in your editor"),
    ("/persona", "[NAME]", "who answers from now on, or who could"),
    ("/model", "[NAME]", "which model answers from now on, or which could"),
    ("/file", "PATH", "put a text or a picture before your next message"),
    ("/quit", "", "leave; so does Ctrl-D"),
];

pub(super) fn read(line: &str) -> Word<'_> {
    let text = line.trim();
    if text.is_empty() {
        return Word::Nothing;
    }
    match text.strip_prefix('/') {
        None => Word::Say(line),
        // The slash is meant.
        Some(rest) if rest.starts_with('/') => Word::Say(rest),
        Some(_) => command(text),
    }
}

fn command(text: &str) -> Word<'_> {
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    let some = (!rest.is_empty()).then_some(rest);
    let Some((_, wanted, _)) = COMMANDS.iter().find(|(known, ..)| *known == name) else {
        let name = name.escape_debug();
        return Word::Wrong(format!(
            "there is no command {name}: /help lists them, and // at the beginning says a slash"
        ));
    };
    match (name, some) {
        ("/new", name) => Word::New(name),
        ("/fork", name) => Word::Fork(name),
        ("/persona", name) => Word::Persona(name),
        ("/model", name) => Word::Model(name),
        ("/open", Some(chat)) => Word::Open(chat),
        ("/search", Some(words)) => Word::Search(words),
        ("/rename", Some(title)) => Word::Rename(title),
        ("/file", Some(path)) => Word::File(path),
        ("/help", None) => Word::Help,
        ("/list", None) => Word::List,
        ("/undo", None) => Word::Undo,
        ("/retry", None) => Word::Retry,
        ("/continue", None) => Word::Continue,
        ("/edit", None) => Word::Edit,
        ("/quit", None) => Word::Quit,
        (name, None) => Word::Wrong(format!("{name} needs more: {name} {wanted}")),
        (name, Some(_)) => Word::Wrong(format!("{name} stands alone: nothing was done, and nothing was sent")),
    }
}

/// The list of commands, for people.
pub(super) fn help() -> String {
    let name = |(name, rest, _): &(&str, &str, &str)| format!("{name} {rest}").trim_end().to_owned();
    let width = COMMANDS.iter().map(|command| name(command).len()).max().unwrap_or(0);
    let line = |command: &(&str, &str, &str)| format!("  {:width$}  {}\n", name(command), command.2);
    let keys = "\nAll else is said; // at the beginning says a slash.\n\
                Alt-Enter or Ctrl-J begins a new line. A paste is one message.\n\
                Ctrl-C stops an answer, which is kept as far as it came, or clears the line.\n";
    COMMANDS.iter().map(line).collect::<String>() + keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_understood_with_what_it_needs() {
        for (name, wanted, _) in COMMANDS {
            let alone = !matches!(read(name), Word::Wrong(_));
            let more = !matches!(read(&format!(" {name}  x y ")), Word::Wrong(_));
            let fits = (wanted.is_empty() || wanted.starts_with('['), !wanted.is_empty());
            assert_eq!((alone, more), fits, "{name}");
        }
        assert_eq!(read("/rename  Three days "), Word::Rename("Three days"));
        assert_eq!(read("/open\t@2"), Word::Open("@2"));
    }

    #[test]
    fn only_a_slash_makes_a_command() {
        assert_eq!(read(" hi /there\n"), Word::Say(" hi /there\n"));
        assert_eq!(read("//etc/passwd?"), Word::Say("/etc/passwd?"));
        assert_eq!(read(" \n"), Word::Nothing);
        for unknown in ["/etc/passwd", "/", "/Help", "/exit now"] {
            assert!(matches!(read(unknown), Word::Wrong(why) if why.contains("//")), "{unknown}");
        }
    }
}
