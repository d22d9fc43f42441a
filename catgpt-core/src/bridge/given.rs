//! What a host gives in its own form: who answers, what is said, what must not be shown.

use std::fmt;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::id::Seq;
use crate::message::{Content, FinishReason, Part, Role, Status, Usage};
use crate::persona::Persona;
use crate::session::{Append, Metadata, NewMessage, Session};

/// A persona: a built-in one by its name, or its fields.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "a persona is the name of a built-in one, or an object with `name` and `system`")]
pub enum Who {
    /// The built-in persona of this name.
    Builtin(String),
    /// Its fields, as [`Persona`] has them.
    Fields(Box<Persona>),
}

impl Who {
    /// The persona.
    ///
    /// # Errors
    /// `NotFound` for a name that is not built in; `InvalidInput` for fields that cannot be used.
    pub fn read(self) -> Result<Persona> {
        match self {
            Self::Fields(persona) => persona.validate().map(|()| *persona),
            Self::Builtin(name) => Persona::builtin(&name).ok_or_else(|| {
                Error::not_found("built-in persona")
                    .with("persona", name.escape_debug())
                    .with("known", Persona::BUILTIN.join(", "))
            }),
        }
    }
}

/// What is said: a text, or a list of texts and parts.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(untagged, expecting = "a message is a text, or a list of texts and images")]
pub enum Words {
    /// A text.
    Text(String),
    /// Texts and parts.
    Pieces(Vec<Piece>),
}

/// One piece of [`Words`].
#[derive(Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Piece {
    /// A text.
    Text(String),
    /// A part, as it stands in a message.
    Part(Part),
}

impl From<Words> for Content {
    fn from(words: Words) -> Self {
        let part = |piece| match piece {
            Piece::Text(text) => Part::text(text),
            Piece::Part(part) => part,
        };
        match words {
            Words::Text(text) => text.into(),
            Words::Pieces(pieces) => pieces.into_iter().map(part).collect(),
        }
    }
}

/// A message that was written elsewhere: [`NewMessage`] with its defaults.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    role: Role,
    content: Words,
    #[serde(default = "complete")]
    status: Status,
    model: Option<String>,
    finish_reason: Option<FinishReason>,
    usage: Option<Usage>,
}

fn complete() -> Status {
    Status::Complete
}

impl From<Line> for NewMessage {
    fn from(line: Line) -> Self {
        let Line { role, content, status, model, finish_reason, usage } = line;
        Self { status, model, finish_reason, usage, ..Self::new(role, content) }
    }
}

/// Where added messages go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// After the newest message of the branch that is shown.
    #[default]
    Head,
    /// Before all, as another beginning.
    Start,
    /// After this message.
    #[serde(untagged)]
    Under(Seq),
}

/// The messages on their way.
pub(super) fn append(
    session: Session,
    messages: Vec<Line>,
    after: Place,
    if_version: Option<u64>,
    metadata: Option<Metadata>,
) -> Append {
    let append = session.append(messages.into_iter().map(NewMessage::from));
    let append = match after {
        Place::Head => append,
        Place::Start => append.after(None),
        Place::Under(seq) => append.after(seq),
    };
    let append = if_version.into_iter().fold(append, Append::if_version);
    metadata.into_iter().fold(append, Append::metadata)
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Words(…)")
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Piece(…)")
    }
}

/// A key, or a URL in which a password may stand: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Hidden(pub(super) String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Call, Config};

    #[test]
    fn neither_a_config_nor_a_call_shows_a_secret() {
        let config = r#"{"api_key":"hunter2","memory":"postgres://u:hunter2@h/d","live":"redis://:hunter2@h"}"#;
        let call = r#"{"do":"send","owner":null,"session":"s","content":"Hi","options":{"credentials":"hunter2"}}"#;
        let config: Config = serde_json::from_str(config).unwrap();
        let call: Call = serde_json::from_str(call).unwrap();
        let shown = format!("{config:?} {call:?}");
        assert_eq!(shown.matches("Hidden").count(), 4, "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
