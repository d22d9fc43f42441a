//! What a conversation is made of: messages, their parts, and how a message ended.

mod content;
mod image;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ErrorInfo;
use crate::id::{Seq, TurnId};

pub use content::Content;
pub(crate) use content::Place;
pub use image::{Detail, Image};

/// A position in a reply's content: text and reasoning count their UTF-8 bytes, every other part counts 1.
///
/// It does not depend on how the content was cut into events, stored or encoded.
pub type Offset = u64;

macro_rules! coded {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// The number that stores keep. Never reused, never changed.
            pub fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)* }
            }
            /// Back from the number; `None` for one that this version does not know.
            pub fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }
            /// The name, as it stands in JSON.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

coded! {
    /// Who speaks.
    Role {
        /// Instructions.
        System = 0 "system",
        /// The person.
        User = 1 "user",
        /// The model.
        Assistant = 2 "assistant",
        /// What stands for a range of older messages.
        Summary = 3 "summary",
    }
}

coded! {
    /// How far a message, and so its turn, has come. All but `Running` are final.
    Status {
        /// Being written.
        Running = 0 "running",
        /// Whole.
        Complete = 1 "complete",
        /// Stopped by somebody; the text so far is kept.
        Cancelled = 2 "cancelled",
        /// Cut off: the connection, the process or the engine ended first; the text so far is kept.
        Interrupted = 3 "interrupted",
        /// The model answered with an error; the text before it is kept.
        Failed = 4 "failed",
        /// Waits for a decision about a tool call.
        Paused = 5 "paused",
    }
}

/// Why the model stopped. What this version does not know is kept as it came.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum FinishReason {
    /// It had said everything.
    Stop,
    /// It reached its limit of tokens.
    Length,
    /// It wants tools to be called.
    ToolCalls,
    /// A filter stopped it.
    ContentFilter,
    /// Something else, in the provider's word.
    Other(String),
}

impl From<String> for FinishReason {
    fn from(text: String) -> Self {
        match text.as_str() {
            "stop" => Self::Stop,
            "length" => Self::Length,
            "tool_calls" => Self::ToolCalls,
            "content_filter" => Self::ContentFilter,
            _ => Self::Other(text),
        }
    }
}

impl From<FinishReason> for String {
    fn from(reason: FinishReason) -> Self {
        match reason {
            FinishReason::Stop => "stop".into(),
            FinishReason::Length => "length".into(),
            FinishReason::ToolCalls => "tool_calls".into(),
            FinishReason::ContentFilter => "content_filter".into(),
            FinishReason::Other(text) => text,
        }
    }
}

/// What a turn used, in tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Tokens of the answer, reasoning included.
    pub output_tokens: u64,
    /// Tokens of the prompt that came from the provider's cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cached_tokens: u64,
    /// Tokens of the answer that were reasoning.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reasoning_tokens: u64,
    /// The provider sent no numbers; these are our guess.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A call that the model asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The call's id, given by the model.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// Its arguments, as the model wrote them.
    pub arguments: Value,
}

/// What a call gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The call that this answers.
    pub id: String,
    /// The result, or the error's text.
    pub output: Value,
    /// The call failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
}

/// One piece of a message's content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Part {
    /// Text.
    Text {
        /// The text, as UTF-8.
        text: String,
    },
    /// What the model thought before it spoke.
    Reasoning {
        /// The text, as UTF-8.
        text: String,
    },
    /// A call that the model asks for.
    ToolCall(ToolCall),
    /// What a call gave.
    ToolResult(ToolResult),
    /// A picture, by reference.
    Image(Image),
    /// A source that the answer leans on.
    Citation {
        /// Where it is.
        url: String,
        /// Its title.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
    },
    /// What a provider wants back when the reply goes on after a tool: a signature of its reasoning, an encrypted thought.
    /// Nobody else can read it, and another provider is not sent it.
    Provider {
        /// Whose it is, as [`ModelRequest`](crate::ModelRequest)s of that provider know it: `anthropic`, `openai`.
        provider: String,
        /// What it is.
        value: Value,
    },
    /// Something that a later version stored; it is kept and passed on as it is.
    #[serde(untagged)]
    Unknown(Value),
}

impl Part {
    /// A piece of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }

    /// How much an offset grows by this part.
    pub fn weight(&self) -> u64 {
        match self {
            Self::Text { text } | Self::Reasoning { text } => text.len() as u64,
            _ => 1,
        }
    }

    /// Appends `next` if both are text, or both reasoning; else gives it back.
    fn merge(&mut self, next: Part) -> Option<Part> {
        match (self, next) {
            (Self::Text { text }, Self::Text { text: more })
            | (Self::Reasoning { text }, Self::Reasoning { text: more }) => {
                text.push_str(&more);
                None
            }
            (_, next) => Some(next),
        }
    }
}

/// One node of a session's tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Message {
    /// Its number in the session.
    pub seq: Seq,
    /// The message that it follows; `None` for a first one.
    pub parent: Option<Seq>,
    /// The turn that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// Who speaks.
    pub role: Role,
    /// How far it has come.
    pub status: Status,
    /// What it says.
    pub content: Content,
    /// The model that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Why the model stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<FinishReason>,
    /// What it used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What it cost, in millionths of the unit of the prices that the engine had then, if they knew its model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<u64>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorInfo>,
    /// When it was made, in milliseconds since 1970 by the store's clock.
    pub created_ms: i64,
}

impl Message {
    /// All text, without reasoning and tools.
    pub fn text(&self) -> String {
        self.content.text()
    }

    /// The calls that a paused reply waits with for a decision; of any other there are none.
    pub fn pending(&self) -> Vec<ToolCall> {
        if self.status != Status::Paused {
            return Vec::new();
        }
        let parts = self.content.parts();
        let answered = |id: &str| parts.iter().any(|part| matches!(part, Part::ToolResult(result) if result.id == id));
        let calls = parts.iter().filter_map(|part| match part {
            Part::ToolCall(call) if !answered(&call.id) => Some(call.clone()),
            _ => None,
        });
        calls.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part() -> impl Strategy<Value = Part> {
        prop_oneof![
            "\\PC{0,6}".prop_map(Part::text),
            "\\PC{0,6}".prop_map(|text| Part::Reasoning { text }),
            Just(Part::Citation { url: "a:b".into(), title: None }),
        ]
    }

    proptest! {
        #[test]
        fn cutting_anywhere_loses_nothing(parts in prop::collection::vec(part(), 0..8), cut in 0u64..60) {
            let whole: Content = parts.into_iter().filter(|part| part.weight() > 0).collect();
            let rest = whole.since(cut);
            let (len, rest_len) = (whole.len(), rest.len());
            // Rounded down inside a character: the rest is never shorter than asked for, and at most 3 bytes longer.
            prop_assert!(rest_len >= len.saturating_sub(cut) && rest_len <= len.saturating_sub(cut) + 3);
            prop_assert_eq!(whole.since(len - rest_len), rest.clone());
            let mut joined = whole.between(0, cut);
            joined.append(rest);
            prop_assert_eq!(&joined, &whole);
            prop_assert_eq!(whole.between(cut, cut), Content::default());
        }

        #[test]
        fn stored_content_comes_back(parts in prop::collection::vec(part(), 0..8)) {
            let content: Content = parts.into_iter().collect();
            let json = serde_json::to_string(&content).unwrap();
            prop_assert_eq!(serde_json::from_str::<Content>(&json).unwrap(), content);
        }
    }

    #[test]
    fn parts_of_a_later_version_are_kept_as_they_came() {
        let json = r#"[{"type":"hologram","size":3},{"type":"text","text":"hi"}]"#;
        let content: Content = serde_json::from_str(json).unwrap();
        assert!(matches!(content.parts()[0], Part::Unknown(_)));
        let back: Value = serde_json::to_value(&content).unwrap();
        assert_eq!(back, serde_json::from_str::<Value>(json).unwrap());
    }

    #[test]
    fn pictures_of_every_version_are_read() {
        let first = r#"{"type":"image","url":"https://a.example/cat.png","media_type":"image/png"}"#;
        let later = r#"{"type":"image","url":"ref:1","alt":"a cat","detail":"low"}"#;
        for json in [first, later] {
            let part: Part = serde_json::from_str(json).unwrap();
            assert!(matches!(part, Part::Image(_)) && part.weight() == 1);
            assert_eq!(serde_json::to_string(&part).unwrap(), json);
        }
        // A word that this version does not know is kept with its part.
        let newer = r#"{"type":"image","url":"ref:1","detail":"original"}"#;
        let part: Part = serde_json::from_str(newer).unwrap();
        assert_eq!(serde_json::to_value(&part).unwrap(), serde_json::from_str::<Value>(newer).unwrap());
    }

    #[test]
    fn codes_are_frozen() {
        let statuses: Vec<_> = (0..=6).map(|c| Status::from_code(c).map(Status::as_str)).collect();
        assert_eq!(
            statuses,
            [
                Some("running"),
                Some("complete"),
                Some("cancelled"),
                Some("interrupted"),
                Some("failed"),
                Some("paused"),
                None
            ]
        );
        let roles: Vec<_> = (0..=4).map(|c| Role::from_code(c).map(Role::as_str)).collect();
        assert_eq!(roles, [Some("system"), Some("user"), Some("assistant"), Some("summary"), None]);
    }
}
