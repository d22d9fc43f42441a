//! The list of what can go wrong.

macro_rules! faults {
    ($($(#[$doc:meta])* $fault:ident = $name:literal,)*) => {
        /// What goes wrong with an answer. Where a place matters, it is before chunk `k`
        /// ([`Script::at`](super::Script::at)).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Fault { $($(#[$doc])* $fault,)* }

        impl Fault {
            /// All of them.
            pub const ALL: &[Fault] = &[$(Fault::$fault,)*];

            /// Its name, as the knob `f` takes it.
            pub fn name(self) -> &'static str {
                match self { $(Fault::$fault => $name,)* }
            }
        }
    };
}

faults! {
    /// 429, `Retry-After` in seconds.
    RateLimit = "429",
    /// 429, `retry-after-ms`.
    RateLimitMs = "429ms",
    /// 429, `Retry-After` as a date.
    RateLimitDate = "429date",
    /// 429, which waiting does not help.
    Quota = "quota",
    /// 401.
    BadKey = "401",
    /// 404.
    NoModel = "404",
    /// 500.
    ServerError = "500",
    /// 503.
    Overloaded = "503",
    /// 400: the conversation is too long, in OpenAI's words.
    Context = "context",
    /// 400: the same in llama.cpp's words, without a code.
    ContextPhrase = "contextphrase",
    /// 400: the filter refuses.
    Filter = "filter",
    /// 400: the model takes no pictures.
    NoImages = "noimages",
    /// 400 for another reason, with a sentence that repeats the prompt.
    BadRequest = "400",
    /// 200 with an error as JSON.
    ErrorBody = "errorbody",
    /// 200 with the whole answer as JSON.
    WholeBody = "wholebody",
    /// 200 with a web page.
    Page = "page",
    /// The connection is closed in the middle.
    Cut = "cut",
    /// The same, inside a frame.
    CutFrame = "cutframe",
    /// The connection is reset in the middle. A reset overtakes text that is under way, so less of it may be seen.
    Reset = "rst",
    /// Nothing more comes; with `k=0` not even the head.
    Silence = "silence",
    /// The body ends properly in the middle, without a reason.
    NoFinish = "nofinish",
    /// The same, with `[DONE]`.
    DoneOnly = "doneonly",
    /// A frame that is not JSON.
    BadJson = "badjson",
    /// An error object in the middle.
    ErrorFrame = "error",
    /// The same with a number as its code.
    ErrorNumber = "errornumber",
    /// No `[DONE]`.
    NoDone = "nodone",
    /// `[DONE]` without a line end.
    DoneNoNewline = "donenonewline",
    /// `finish_reason` is `""` until it is real.
    EmptyFinish = "emptyfinish",
    /// `finish_reason` is `eos`.
    UnknownFinish = "eos",
    /// Chunks without id, created and index.
    Bare = "bare",
    /// `data:` without a space.
    NoSpace = "nospace",
    /// JSON over several `data:` lines.
    MultiLine = "multiline",
    /// Comments between events and inside them.
    Comments = "comment",
    /// `event:`, `id:` and `retry:` fields.
    Fields = "fields",
    /// Lines end with CR LF.
    CrLf = "crlf",
    /// Lines end with CR.
    Cr = "cr",
    /// A byte order mark comes first.
    Bom = "bom",
    /// One byte a write.
    OneByte = "onebyte",
    /// Writes end inside characters.
    SplitText = "utf8",
    /// A byte that is not UTF-8 inside the text.
    BadText = "badutf8",
    /// `data: null` between frames.
    Null = "null",
    /// Lines that are no fields, between events and inside them.
    Garbage = "garbage",
    /// Twenty signs of life before each event.
    Pings = "pings",
    /// Events of a type that nobody knows.
    UnknownEvents = "unknown",
    /// A frame that is larger than a client should hold.
    Huge = "huge",
    /// Nulls and numbers where others belong, content in parts.
    WrongTypes = "wrongtypes",
}

impl Fault {
    /// The fault of this name.
    pub fn named(name: &str) -> Option<Fault> {
        Fault::ALL.iter().copied().find(|fault| fault.name() == name)
    }
}
