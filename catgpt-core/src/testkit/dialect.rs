//! The protocols that the server speaks.

/// A protocol, told by the end of a request's path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// Chat Completions.
    #[default]
    ChatCompletions,
    /// Anthropic's Messages.
    Messages,
    /// OpenAI's Responses.
    Responses,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Dialect; 3] = [Self::ChatCompletions, Self::Messages, Self::Responses];

    /// The end of the path under which it is spoken.
    pub fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/chat/completions",
            Self::Messages => "/messages",
            Self::Responses => "/responses",
        }
    }

    /// The protocol of this path.
    pub(super) fn of(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| path.ends_with(dialect.path()))
    }
}
