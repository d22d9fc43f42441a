//! Which protocol a model is asked in: what its name says of it, and where each one's key and address are looked for.

#[cfg(feature = "http")]
use crate::error::{Error, ErrorKind};

/// A protocol that models are asked in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// Chat Completions: OpenAI's own, and what most other servers speak.
    OpenAi,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages.
    Anthropic,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Protocol; 3] = [Self::OpenAi, Self::Responses, Self::Anthropic];

    /// What stands before the colon of a model's name: `openai`, `responses`, `anthropic`.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Responses => "responses",
            Self::Anthropic => "anthropic",
        }
    }

    /// The protocol that a name begins with, and the rest of the name. A name that begins with none (`gpt-4o`,
    /// `llama3.2:3b`) is one of Chat Completions, whole.
    ///
    /// ```
    /// use catgpt_core::model::Protocol;
    /// assert_eq!(Protocol::of("anthropic:claude-sonnet-4-5"), (Protocol::Anthropic, "claude-sonnet-4-5"));
    /// assert_eq!(Protocol::of("llama3.2:3b"), (Protocol::OpenAi, "llama3.2:3b"));
    /// ```
    pub fn of(name: &str) -> (Self, &str) {
        let (protocol, rest) = Self::said(name);
        (protocol.unwrap_or(Self::OpenAi), rest)
    }

    /// The protocol that a name begins with, if it begins with one, and the rest of the name.
    pub(crate) fn said(name: &str) -> (Option<Self>, &str) {
        Self::ALL.into_iter().find_map(|it| Some((Some(it), it.strip(name)?))).unwrap_or((None, name))
    }

    /// What follows this protocol's name and a colon.
    fn strip(self, name: &str) -> Option<&str> {
        name.strip_prefix(self.name())?.strip_prefix(':')
    }

    /// A model's name as its server knows it.
    #[cfg(feature = "http")]
    pub(crate) fn bare(self, name: &str) -> &str {
        self.strip(name).unwrap_or(name)
    }

    /// The environment variable with the key.
    pub fn key_variable(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Responses => "OPENAI_API_KEY",
            Self::Anthropic => "ANTHROPIC_API_KEY",
        }
    }

    /// The environment variable with the address, if it is not the provider's own.
    pub fn base_url_variable(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Responses => "OPENAI_BASE_URL",
            Self::Anthropic => "ANTHROPIC_BASE_URL",
        }
    }

    /// The environment variable with the model's name, where nobody says one.
    pub fn model_variable(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Responses => "OPENAI_MODEL",
            Self::Anthropic => "ANTHROPIC_MODEL",
        }
    }

    /// The provider's own address.
    pub fn base_url(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Responses => "https://api.openai.com/v1",
            Self::Anthropic => "https://api.anthropic.com/v1",
        }
    }

    /// Nobody said where to ask, nor with which key.
    #[cfg(feature = "http")]
    pub(crate) fn unconfigured(self) -> Error {
        let (key, url) = (self.key_variable(), self.base_url_variable());
        let message = format!("no model is configured: set {key}, or {url} for an endpoint without a key");
        Error::new(ErrorKind::Unauthorized, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_protocol_is_cut_off_a_name() {
        for (name, protocol, rest) in [
            ("gpt-4o", Protocol::OpenAi, "gpt-4o"),
            ("openai:gpt-4o", Protocol::OpenAi, "gpt-4o"),
            ("openai/gpt-4o:free", Protocol::OpenAi, "openai/gpt-4o:free"),
            ("llama3.2:3b", Protocol::OpenAi, "llama3.2:3b"),
            ("anthropic", Protocol::OpenAi, "anthropic"),
            ("anthropic:", Protocol::Anthropic, ""),
            ("anthropic:claude", Protocol::Anthropic, "claude"),
            ("anthropic/claude:x", Protocol::OpenAi, "anthropic/claude:x"),
            ("responses:gpt-5", Protocol::Responses, "gpt-5"),
        ] {
            assert_eq!(Protocol::of(name), (protocol, rest), "{name}");
        }
    }
}
