//! The built-in cat: answers without a network and without a model, always the same to the same conversation.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use super::{ChatModel, ModelEvent, ModelInfo, ModelRequest, Params, PromptMessage, Provider};
use crate::error::Result;
use crate::message::{FinishReason, Part, Role};

const NAME: &str = "offline-cat";

/// A small script in a cat's voice, for trying things out before there is a key. It is no language model, and says so.
///
/// It greets, remembers what was said in the window, counts the lines and words of texts, and owns up to what it
/// cannot do. A word counts as a token for `max_tokens`.
#[derive(Clone, Debug, Default)]
pub struct Offline {
    pace: Duration,
}

impl Offline {
    /// Answers as fast as it is read.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits this long before each word but the first, so that people see it stream.
    #[must_use]
    pub fn paced(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }
}

#[async_trait]
impl ChatModel for Offline {
    fn stream(&self, request: ModelRequest) -> BoxStream<'static, Result<ModelEvent>> {
        let pace = self.pace;
        Box::pin(async_stream::stream! {
            let (text, reason) = limit(answer(&request.messages), &request.params);
            for (at, word) in text.split_inclusive(' ').enumerate() {
                if at > 0 && !pace.is_zero() {
                    tokio::time::sleep(pace).await;
                }
                yield Ok(ModelEvent::Text(word.to_owned()));
            }
            yield Ok(ModelEvent::Finish(reason));
        })
    }

    fn name(&self) -> &str {
        NAME
    }

    async fn models(&self) -> Result<Vec<ModelInfo>> {
        Ok(vec![ModelInfo { owned_by: Some("catgpt".into()), ..ModelInfo::new(NAME) }])
    }

    fn provider(&self) -> Provider {
        Provider { name: "offline".into(), ..Provider::default() }
    }
}

/// Cuts at the first stop text and after `max_tokens` words.
fn limit(mut text: String, params: &Params) -> (String, FinishReason) {
    let stops = params.stop.iter().filter(|stop| !stop.is_empty());
    if let Some(at) = stops.filter_map(|stop| text.find(stop.as_str())).min() {
        text.truncate(at);
    }
    let most = params.max_tokens.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX));
    match text.split_inclusive(' ').nth(most) {
        None => (text, FinishReason::Stop),
        Some(_) => (text.split_inclusive(' ').take(most).collect(), FinishReason::Length),
    }
}

/// The whole answer to a conversation.
fn answer(messages: &[PromptMessage]) -> String {
    let said = texts(messages, Role::User);
    let Some((latest, earlier)) = said.split_last() else {
        return "Mrow? Nobody has said anything yet.".into();
    };
    let talk = Talk { latest, words: words(latest), earlier, mine: texts(messages, Role::Assistant) };
    let body = match pictures(messages) {
        0 => talk.body(),
        n if latest.trim().is_empty() => looked(n),
        n => format!("{} {}", looked(n), talk.body()),
    };
    match earlier.len() {
        0 => format!("(offline cat: I am a small script, not a language model.) {body}"),
        n => format!("{body} That makes {} messages from you in my basket.", n + 1),
    }
}

fn texts(messages: &[PromptMessage], role: Role) -> Vec<String> {
    messages.iter().filter(|message| message.role == role).map(|message| message.content.text()).collect()
}

/// How many pictures came with the newest message.
fn pictures(messages: &[PromptMessage]) -> usize {
    let newest = messages.iter().rev().find(|message| message.role == Role::User);
    let parts = newest.map_or(&[][..], |message| message.content.parts());
    parts.iter().filter(|part| matches!(part, Part::Image(_))).count()
}

fn looked(pictures: usize) -> String {
    format!("You show me {pictures} {}; I sniff, but a small script cannot see.", plural(pictures, "picture"))
}

/// The first words, in lower case: enough to tell what is wanted, however long the text is.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.take(256).map(str::to_lowercase).collect()
}

fn asks_for_summary(text: &str) -> bool {
    text.contains("in one line") || words(text).iter().any(|word| SUMMARISE.contains(&word.as_str()))
}

/// What the cat has heard.
struct Talk<'a> {
    latest: &'a str,
    words: Vec<String>,
    earlier: &'a [String],
    mine: Vec<String>,
}

const SUMMARISE: [&str; 7] = ["summarise", "summarize", "summary", "tldr", "shorten", "recap", "gist"];
const GREETINGS: [&str; 12] =
    ["hello", "hi", "hey", "meow", "miau", "hallo", "hola", "bonjour", "ciao", "greetings", "morning", "moin"];
const QUESTIONS: [&str; 9] = ["why", "how", "what", "who", "where", "when", "which", "can", "is"];

impl Talk<'_> {
    fn body(&self) -> String {
        let lines = self.latest.lines().filter(|line| !line.trim().is_empty()).count();
        let first = self.words.first().map_or("", String::as_str);
        if lines == 0 {
            "Mrow? I sniffed at your message and found no words in it.".into()
        } else if lines > 3 || asks_for_summary(self.latest) {
            self.summary()
        } else if self.asks_back() {
            self.recall()
        } else if self.has(&["thanks", "thank", "danke", "merci"]) {
            "Purr. You may scratch me behind the ears for that.".into()
        } else if self.has(&["bye", "goodbye"]) {
            "Off to a sunbeam, then. Mrow, and come back soon!".into()
        } else if self.words.len() <= 4 && self.has(&GREETINGS) {
            "Meow! I stretch, I yawn, and I am all ears. What shall we chase?".into()
        } else if self.has(&["you", "your"]) && self.has(&["who", "what", "help"]) {
            "I am the cat that lives in this program: I greet, I remember what you said, and I count the lines and \
             words of what you drop at my paws. Set OPENAI_API_KEY or OPENAI_BASE_URL to talk to a real model."
                .into()
        } else if self.latest.trim_end().ends_with('?') || QUESTIONS.contains(&first) {
            self.question(first)
        } else {
            self.remark()
        }
    }

    fn has(&self, any: &[&str]) -> bool {
        self.words.iter().any(|word| any.contains(&word.as_str()))
    }

    /// Picks by the number of messages, so that a conversation does not repeat itself at once.
    fn pick<'t>(&self, from: &[&'t str]) -> &'t str {
        from[self.earlier.len() % from.len()]
    }

    fn question(&self, first: &str) -> String {
        let thought = match first {
            "why" => "Why? In my experience because somebody moved the food bowl.",
            "how" => "How? I would sit down, stare at it for an hour, then pounce.",
            "who" | "where" => "I looked behind the sofa: not there.",
            "when" => "After the nap. It is always after the nap.",
            _ => "I tilt my head and twitch a whisker.",
        };
        let honest = self.pick(&[
            "To really know, set OPENAI_API_KEY and ask a model with more brains than fur.",
            "A real answer takes a real model; I only have whiskers.",
            "My script ends here, so I shall not make up an answer: that would be a dog's trick.",
        ]);
        format!("{thought} {honest}")
    }

    fn remark(&self) -> String {
        let nod = self.pick(&["Mrow, noted:", "I knead that into my blanket:", "My tail says I heard you:"]);
        format!("{nod} {}.", quote(self.latest))
    }

    /// Whether this asks for something that was said.
    fn asks_back(&self) -> bool {
        let text = self.words.join(" ");
        let said =
            ["did i", "did we", "did you say", "i said", "we said", "you said", "i told", "was said", "remember"];
        said.iter().any(|phrase| text.contains(phrase)) && self.has(&["what", "did", "was", "remember"])
    }

    fn recall(&self) -> String {
        if self.has(&["you"]) && !self.has(&["i", "we", "me", "my"]) {
            return match self.mine.last() {
                Some(text) => format!("I said, with my best whiskers forward: {}.", quote(text)),
                None => "I have not said a thing so far, not even meow.".into(),
            };
        }
        let about = self.earlier.iter().rev().find(|text| self.shares_a_word(text));
        let told = || self.earlier.iter().rev().find(|text| !text.trim_end().ends_with('?'));
        match (self.earlier.first(), about.or_else(told).or(self.earlier.last())) {
            (Some(first), _) if self.has(&["first"]) => format!("The first thing you told me: {}.", quote(first)),
            (_, Some(text)) => format!("My ears remember. You said: {}.", quote(text)),
            _ => "You have told me nothing before this; my ears are still warm from the nap.".into(),
        }
    }

    fn shares_a_word(&self, text: &str) -> bool {
        let common = ["about", "said", "told", "tell", "what", "when", "remember", "earlier", "that", "have"];
        words(text).iter().any(|word| word.len() > 3 && !common.contains(&word.as_str()) && self.words.contains(word))
    }

    fn summary(&self) -> String {
        let text = self.document();
        let lines = text.lines().count();
        match (text.split_whitespace().count(), self.earlier) {
            (0, []) => "Drop a text at my paws and I will count its lines and words for you.".into(),
            (0, earlier) => {
                let last = &earlier[earlier.len() - 1];
                format!(
                    "In short, as seen from the windowsill: you began with {} and came to {}.",
                    quote(&earlier[0]),
                    quote(last)
                )
            }
            (words, _) => format!(
                "I walked over it with all four paws: {lines} {}, {words} {}. It begins with {}.",
                plural(lines, "line"),
                plural(words, "word"),
                quote(text)
            ),
        }
    }

    /// The text that is to be summarised: the message without the line that asks for it.
    fn document(&self) -> &str {
        let text = self.latest.trim();
        let (first, after) = text.split_once('\n').unwrap_or((text, ""));
        let (before, last) = text.rsplit_once('\n').unwrap_or(("", text));
        match () {
            () if asks_for_summary(first) => after.trim(),
            () if asks_for_summary(last) => before.trim(),
            () => text,
        }
    }
}

fn plural(n: usize, word: &str) -> String {
    if n == 1 { word.to_owned() } else { format!("{word}s") }
}

/// The first words, on one line.
fn quote(text: &str) -> String {
    const WORDS: usize = 12;
    const CHARS: usize = 100;
    let few: Vec<&str> = text.split_whitespace().take(WORDS + 1).collect();
    let line = few[..few.len().min(WORDS)].join(" ");
    let short: String = line.chars().take(CHARS).collect();
    let more = if few.len() > WORDS || short.len() < line.len() { "…" } else { "" };
    format!("\"{short}{more}\"")
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;
    use crate::message::{Content, Image};

    fn ask(said: &[&str]) -> String {
        let mut messages = vec![PromptMessage::new(Role::System, "You are a cat.")];
        for (at, text) in said.iter().enumerate() {
            let role = if at % 2 == 0 { Role::User } else { Role::Assistant };
            messages.push(PromptMessage::new(role, *text));
        }
        answer(&messages)
    }

    #[test]
    fn the_first_answer_owns_up_and_later_ones_count() {
        assert!(ask(&["hello"]).starts_with("(offline cat: I am a small script, not a language model.)"));
        let later = ask(&["hello", "Meow!", "the sofa is mine"]);
        assert!(!later.contains("language model"));
        assert!(later.contains("\"the sofa is mine\"") && later.contains("2 messages"), "{later}");
    }

    #[test]
    fn it_remembers_what_was_said() {
        let talk = ["I plan a trip to Kyoto", "Noted.", "my dog is old", "Noted.", "what did I say about Kyoto?"];
        assert!(ask(&talk).contains("trip to Kyoto"));
        assert!(
            ask(&["one fish", "Noted.", "two fish", "Mrow.", "why?", "Mrow.", "what did we say?"]).contains("two fish")
        );
        assert!(ask(&["one", "Noted.", "two", "Mrow.", "what was the first thing I said?"]).contains("one"));
        assert!(ask(&["one", "Purr indeed.", "what did you say?"]).contains("Purr indeed."));
        assert!(ask(&["what did I say?"]).contains("nothing before this"));
    }

    #[test]
    fn it_counts_what_it_is_given() {
        for text in ["summarise\n\nbuy fish\nfeed the cat", "buy fish\nfeed the cat\n\nsummarise this"] {
            let answer = ask(&[text]);
            assert!(answer.contains("2 lines, 5 words") && answer.contains("\"buy fish feed the cat\""), "{answer}");
        }
        assert!(ask(&["a\nb\nc\nd"]).contains("4 lines, 4 words"));
        assert!(ask(&["buy fish", "Noted.", "and in one line?"]).contains("began with \"buy fish\""));
        assert!(ask(&["summarise"]).contains("Drop a text"));
    }

    #[test]
    fn each_kind_of_message_has_its_answer() {
        let table = [
            ("hi there", "Meow!"),
            ("why is the sky blue?", "Why?"),
            ("how do I cook rice", "How?"),
            ("who are you?", "OPENAI_API_KEY"),
            ("thank you", "Purr"),
            ("goodbye", "sunbeam"),
            (" \n ", "no words"),
            ("ネコが好き", "ネコが好き"),
        ];
        for (said, expect) in table {
            assert!(ask(&[said]).contains(expect), "{said}: {}", ask(&[said]));
        }
        assert!(answer(&[]).contains("Nobody"));
    }

    #[test]
    fn it_remarks_that_it_was_shown_something() {
        let show = |content: Content| answer(&[PromptMessage { role: Role::User, content }]);
        let picture = || Content::from(Image::new("https://a.example/cat.png"));
        assert!(show(picture()).ends_with("You show me 1 picture; I sniff, but a small script cannot see."));
        let both = show(Content::from("why is it grey?").image("ref:1").image("ref:2"));
        assert!(both.contains("2 pictures") && both.contains("Why?"), "{both}");
        let later = [
            PromptMessage { role: Role::User, content: picture() },
            PromptMessage::new(Role::Assistant, "Mrow."),
            PromptMessage::new(Role::User, "hi"),
        ];
        assert!(!answer(&later).contains("picture"));
    }

    #[test]
    fn quotes_are_short_whatever_comes() {
        let quoted = quote(&"猫".repeat(1000));
        assert_eq!(quoted.chars().count(), 103);
        assert!(quote("a b c d e f g h i j k l m").ends_with("l…\""));
    }

    #[test]
    fn limits_are_kept() {
        let cut = |max_tokens, stop: &[&str]| {
            let stop = stop.iter().map(|&s| s.to_owned()).collect();
            limit("one two three".into(), &Params { max_tokens, stop, ..Params::default() })
        };
        assert_eq!(cut(None, &[]), ("one two three".into(), FinishReason::Stop));
        assert_eq!(cut(Some(3), &[""]), ("one two three".into(), FinishReason::Stop));
        assert_eq!(cut(Some(2), &[]), ("one two ".into(), FinishReason::Length));
        assert_eq!(cut(Some(2), &["three", "two"]), ("one ".into(), FinishReason::Stop));
    }

    #[tokio::test(start_paused = true)]
    async fn it_streams_word_by_word_the_same_every_time() {
        let request = ModelRequest { messages: vec![PromptMessage::new(Role::User, "hi")], ..ModelRequest::default() };
        let model = Offline::new().paced(Duration::from_millis(30));
        let play = || model.stream(request.clone()).map(|event| event.expect("it cannot fail")).collect::<Vec<_>>();
        let (once, again) = (play().await, play().await);
        assert_eq!(once, again);
        assert!(once.len() > 10);
        assert_eq!(once.last(), Some(&ModelEvent::Finish(FinishReason::Stop)));
        let text: String =
            once.iter().filter_map(|e| if let ModelEvent::Text(t) = e { Some(t.as_str()) } else { None }).collect();
        assert_eq!(text, answer(&request.messages));
    }
}
