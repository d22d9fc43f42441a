//! The part of a Chat Completions chunk that is read, borrowed from its bytes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Visitor};
use serde_json::Value;

use crate::message::Usage;

/// One chunk.
#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct Frame<'a> {
    #[serde(borrow, default)]
    pub(super) choices: Vec<Choice<'a>>,
    #[serde(default)]
    pub(super) usage: Option<Tokens>,
    #[serde(default)]
    pub(super) error: Option<Value>,
    /// Some servers put an error's fields where the chunk's should be and say so here.
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) object: Cow<'a, str>,
}

#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(default)]
    pub(super) index: Option<u64>,
    #[serde(borrow)]
    pub(super) delta: Delta<'a>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) finish_reason: Cow<'a, str>,
}

#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct Delta<'a> {
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) content: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) reasoning_content: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) reasoning: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) refusal: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) tool_calls: Option<Vec<Piece<'a>>>,
}

/// A piece of a tool call.
#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct Piece<'a> {
    #[serde(default)]
    pub(super) index: Option<u64>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) function: Function<'a>,
}

#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct Function<'a> {
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text")]
    pub(super) arguments: Cow<'a, str>,
}

#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct Tokens {
    #[serde(default)]
    pub(super) prompt_tokens: u64,
    #[serde(default)]
    pub(super) completion_tokens: u64,
    #[serde(default)]
    pub(super) prompt_tokens_details: Option<PromptTokens>,
    #[serde(default)]
    pub(super) completion_tokens_details: Option<CompletionTokens>,
}

#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct PromptTokens {
    #[serde(default)]
    pub(super) cached_tokens: Option<u64>,
}

#[derive(Debug, Default, serde::Deserialize)]
pub(super) struct CompletionTokens {
    #[serde(default)]
    pub(super) reasoning_tokens: Option<u64>,
}

impl From<Tokens> for Usage {
    fn from(tokens: Tokens) -> Self {
        Usage {
            input_tokens: tokens.prompt_tokens,
            output_tokens: tokens.completion_tokens,
            cached_tokens: tokens.prompt_tokens_details.and_then(|d| d.cached_tokens).unwrap_or(0),
            reasoning_tokens: tokens.completion_tokens_details.and_then(|d| d.reasoning_tokens).unwrap_or(0),
            estimated: false,
        }
    }
}

/// A text that may be null, borrowed where it holds no escapes. (An `Option<Cow>` would always be copied.)
fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Cow<'de, str>, D::Error> {
    struct Text;
    impl<'de> Visitor<'de> for Text {
        type Value = Cow<'de, str>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string or null")
        }
        fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
            Ok(Cow::Borrowed(text))
        }
        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Cow::Owned(text.to_owned()))
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Cow::Borrowed(""))
        }
    }
    from.deserialize_any(Text)
}
