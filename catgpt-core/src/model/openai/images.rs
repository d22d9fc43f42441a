//! Pictures on demand: OpenAI's images endpoint as a model whose answer is one picture.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{self, BoxStream, StreamExt};
use futures_util::{FutureExt, TryStreamExt};
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;

use super::OpenAi;
use crate::error::{Error, ErrorKind, Result};
use crate::message::{FinishReason, Image, Part, Role, Usage};
use crate::model::http::document::{read, unreadable};
use crate::model::{ChatModel, ModelEvent, ModelInfo, ModelRequest, Provider};

const MODEL: &str = "gpt-image-1";
/// The longest description of a picture, in characters.
const ALT: usize = 200;

/// Draws what the newest message says, and answers with the picture alone. Made from an [`OpenAi`], whose address, key and
/// connections it uses; most often one of several models [by name](crate::ByName).
///
/// The answer is one [`Part::Image`]: the picture's bytes as a `data:` URL, or its address where the endpoint gives that,
/// described by the beginning of what was asked for, which is what a model reads later in its place. Sampling parameters
/// and the rest of the conversation are not sent.
///
/// ```no_run
/// # fn main() -> catgpt_core::Result<()> {
/// use catgpt_core::{ByName, Engine, Images, OpenAi};
/// let openai = OpenAi::from_env()?;
/// let model = ByName::new().with("image", Images::new(openai.clone()).size("1024x1024")).with("*", openai);
/// let engine = Engine::builder().model(model).build(); // session.send("a cat on the moon").model("image")
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Images {
    endpoint: OpenAi,
    model: Arc<str>,
    size: Option<Arc<str>>,
    quality: Option<Arc<str>>,
    within: Duration,
}

/// The body of a request.
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    prompt: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quality: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<&'static str>,
}

impl Images {
    /// `gpt-image-1` at this endpoint, of the size and quality that it chooses, within five minutes.
    pub fn new(endpoint: OpenAi) -> Self {
        Self { endpoint, model: MODEL.into(), size: None, quality: None, within: Duration::from_secs(300) }
    }

    /// Which model draws, unless a request names one.
    #[must_use]
    pub fn model(mut self, name: impl Into<Arc<str>>) -> Self {
        self.model = name.into();
        self
    }

    /// How large, in the endpoint's words: `1024x1024`, `1536x1024`, `auto`.
    #[must_use]
    pub fn size(mut self, size: impl Into<Arc<str>>) -> Self {
        self.size = Some(size.into());
        self
    }

    /// How finely, and at what price, in the endpoint's words: `low`, `high`; of DALL·E `standard`, `hd`.
    #[must_use]
    pub fn quality(mut self, quality: impl Into<Arc<str>>) -> Self {
        self.quality = Some(quality.into());
        self
    }

    /// How long a picture may take once the connection stands; a fine one takes minutes.
    #[must_use]
    pub fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    async fn draw(self, request: ModelRequest) -> Result<Vec<ModelEvent>> {
        let prompt = prompt(&request)?;
        let most = self.endpoint.endpoint.timeouts.connect.saturating_add(self.within);
        let late = |_| {
            let late = Error::new(ErrorKind::Timeout, "the model did not draw its picture in time");
            late.with("seconds", self.within.as_secs_f32())
        };
        let document = timeout(most, self.ask(&request, &prompt)).await.map_err(late)??;
        let image = picture(&document)?.alt(description(&prompt));
        let usage = usage(&document["usage"]).unwrap_or_else(|| Usage {
            // Of the window that was counted nothing else was sent.
            input_tokens: prompt.chars().count().div_ceil(4) as u64,
            estimated: true,
            ..Usage::default()
        });
        Ok(vec![ModelEvent::Part(Part::Image(image)), ModelEvent::Usage(usage), ModelEvent::Finish(FinishReason::Stop)])
    }

    async fn ask(&self, request: &ModelRequest, prompt: &str) -> Result<Value> {
        let model = request.model.as_deref().unwrap_or(&self.model);
        // Its links die within the hour. Newer models give nothing but bytes, and refuse to be asked.
        let response_format = model.starts_with("dall-e").then_some("b64_json");
        let (size, quality) = (self.size.as_deref(), self.quality.as_deref());
        let body = Body { model, prompt, size, quality, response_format };
        let key = request.credentials.as_ref();
        let endpoint = &self.endpoint.endpoint;
        read(endpoint.post(key, "images/generations", &body).await?, endpoint.reveal).await
    }
}

/// What is to be drawn: the words of the newest message.
fn prompt(request: &ModelRequest) -> Result<String> {
    let newest = request.messages.iter().rev().find(|message| message.role == Role::User);
    let prompt = newest.map(|message| message.content.text().trim().to_owned()).filter(|prompt| !prompt.is_empty());
    prompt.ok_or_else(|| Error::invalid("there is nothing to draw: say in words what the picture shows"))
}

/// The beginning of the prompt, in one line.
fn description(prompt: &str) -> String {
    let line = prompt.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(ALT) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}

/// The first picture of an answer.
fn picture(document: &Value) -> Result<Image> {
    let pictures = document["data"].as_array().ok_or_else(unreadable)?;
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let found = pictures.iter().find_map(|it| {
        let bytes = text(&it["b64_json"]).map(|bytes| from_base64(&bytes));
        bytes.or_else(|| text(&it["url"]).map(from_url))
    });
    // Some filters say nothing else. Asking again would be paid for again.
    found.unwrap_or_else(|| {
        Err(Error::new(
            ErrorKind::Refused,
            "the model drew nothing: its filter may have refused; ask for something else",
        ))
    })
}

fn from_base64(text: &str) -> Result<Image> {
    let bytes = STANDARD.decode(text).map_err(|_| Error::invalid("it is not base64"));
    bytes.and_then(|bytes| Image::from_bytes(&bytes)).map_err(unusable)
}

fn from_url(url: String) -> Result<Image> {
    let image = Image::new(url);
    image.check().map_err(unusable)?;
    if image.is_visible() { Ok(image) } else { Err(unusable(Error::invalid("its address leads nowhere"))) }
}

/// What the endpoint calls a picture is none, or too large for a message.
fn unusable(error: Error) -> Error {
    let base = Error::new(ErrorKind::Unavailable, "the endpoint's picture cannot be kept or shown");
    base.with_retryable(false).with("cause", error.message())
}

fn usage(value: &Value) -> Option<Usage> {
    let count = |name: &str| value[name].as_u64();
    let (input_tokens, output_tokens) = (count("input_tokens"), count("output_tokens"));
    input_tokens.or(output_tokens)?;
    let (input_tokens, output_tokens) = (input_tokens.unwrap_or(0), output_tokens.unwrap_or(0));
    Some(Usage { input_tokens, output_tokens, ..Usage::default() })
}

#[async_trait]
impl ChatModel for Images {
    fn stream(&self, request: ModelRequest) -> BoxStream<'static, Result<ModelEvent>> {
        let drawn = self.clone().draw(request).into_stream();
        drawn.map_ok(|events| stream::iter(events.into_iter().map(Ok))).try_flatten().boxed()
    }

    fn name(&self) -> &str {
        &self.model
    }

    fn takes_images(&self) -> bool {
        false
    }

    async fn models(&self) -> Result<Vec<ModelInfo>> {
        Ok(vec![ModelInfo::new(&*self.model)])
    }

    fn provider(&self) -> Provider {
        self.endpoint.provider()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PNG: &str = "iVBORw0KGgo=";

    fn kind(document: &Value) -> (ErrorKind, bool) {
        let error = picture(document).unwrap_err();
        (error.kind(), error.is_retryable())
    }

    #[test]
    fn a_picture_is_its_bytes_or_its_address() {
        let shown = |item: Value| picture(&json!({ "data": [null, {}, { "b64_json": "" }, item] })).unwrap();
        let bytes = shown(json!({ "b64_json": PNG, "url": "https://a.example/cat.png", "revised_prompt": "a cat" }));
        assert_eq!(
            (bytes.url.as_str(), bytes.media_type.as_deref()),
            ("data:image/png;base64,iVBORw0KGgo=", Some("image/png"))
        );
        for url in ["https://a.example/cat.png?sig=1", "http://localhost/cat.png", "data:image/png;base64,iVBORw0KGgo="]
        {
            assert_eq!(shown(json!({ "b64_json": null, "url": url })).url, url);
        }
    }

    #[test]
    fn what_is_no_picture_is_no_answer() {
        for document in [json!({}), json!([]), json!({ "data": {} }), json!({ "choices": [] })] {
            assert_eq!(kind(&document), (ErrorKind::Unavailable, false), "{document}");
        }
        for data in [json!([]), json!([null, 7, { "b64_json": 1 }, { "url": "" }])] {
            assert_eq!(kind(&json!({ "data": data })), (ErrorKind::Refused, false), "{data}");
        }
        for item in [
            json!({ "b64_json": "***" }),
            json!({ "b64_json": "AAAA" }),
            json!({ "url": "ref:1" }),
            json!({ "url": "javascript:x" }),
        ] {
            assert_eq!(kind(&json!({ "data": [item] })), (ErrorKind::Unavailable, false), "{item}");
        }
    }

    #[test]
    fn usage_is_what_is_told_of_it() {
        let told = |value: Value| usage(&value).map(|usage| (usage.input_tokens, usage.output_tokens));
        assert_eq!(told(json!({ "input_tokens": 12, "output_tokens": 4160, "total_tokens": 4172 })), Some((12, 4160)));
        assert_eq!(told(json!({ "output_tokens": 7 })), Some((0, 7)));
        assert!([json!(null), json!({}), json!({ "input_tokens": "many" })].map(told).iter().all(Option::is_none));
    }

    #[test]
    fn a_description_is_one_short_line() {
        assert_eq!(description("a cat\n on  the moon"), "a cat on the moon");
        let long = description(&"größe ".repeat(99));
        assert!(long.chars().count() <= ALT + 1 && long.starts_with("größe größe") && long.ends_with('…'), "{long}");
    }
}
