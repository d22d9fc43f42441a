//! Several models as one: the name that a request says chooses among them.

use std::future::ready;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use serde_json::Value;

use super::{ChatModel, ModelEvent, ModelInfo, ModelRequest, Provider};
use crate::error::{Error, ErrorKind, Result};
use crate::prices::best;

/// The most characters of a name that stand in an error.
const SHOWN: usize = 64;

/// Models by name: [`Send::model`](crate::Send::model) says which one answers.
///
/// A whole name (`image`, `fast`) is the application's own: the model under it is asked as it was made. A name that ends
/// with `*` stands for all that begin so, and what was said is passed on. As in [`Prices`](crate::Prices) a whole name comes
/// before all others, and the longest beginning before shorter ones. Where nothing is said, `*` answers, or if there is
/// none, the first. Clients leave their protocol out of a name that is passed on: under `anthropic:*` an
/// [`Anthropic`](crate::model::Protocol::Anthropic) client is asked for what follows the colon, and lists its models so.
///
/// ```
/// use catgpt_core::{ByName, Engine, Offline, Scripted};
/// let model = ByName::new().with("image", Scripted::reply("[a cat]")).with("*", Offline::new());
/// let engine = Engine::builder().model(model).build();
/// ```
#[derive(Clone, Debug, Default)]
pub struct ByName(Vec<(String, Arc<dyn ChatModel>)>);

impl ByName {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this one under a name, or for all names that begin so (`gpt-*`); in the place of who had it.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, model: impl ChatModel) -> Self {
        let (name, model) = (name.into(), Arc::new(model));
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, place)) => *place = model,
            None => self.0.push((name, model)),
        }
        self
    }

    /// The one who answers, and the name it is under.
    fn pick(&self, model: Option<&str>) -> Result<(&str, &Arc<dyn ChatModel>)> {
        let all = || self.0.iter().map(|(name, model)| (name.as_str(), (name.as_str(), model)));
        let picked = match model {
            Some(model) => best(all(), model),
            None => best(all(), "*").or_else(|| all().next().map(|(_, first)| first)),
        };
        picked.ok_or_else(|| {
            let known: Vec<_> = self.0.iter().map(|(name, _)| name.as_str()).collect();
            let asked: String = model.unwrap_or_default().escape_debug().take(SHOWN).collect();
            // In the sentence, because it is all that a page is told.
            let message = format!("no model answers to this name; there are: {}", known.join(", "));
            Error::invalid(message).with("model", asked)
        })
    }

    /// What there is to choose under one of the names.
    async fn listed(&self, name: &str, model: &Arc<dyn ChatModel>) -> Result<Vec<ModelInfo>> {
        if !name.ends_with('*') {
            return Ok(vec![ModelInfo::new(name)]);
        }
        let reached = |info: &ModelInfo| self.pick(Some(&info.id)).is_ok_and(|(other, _)| other == name);
        // Under `anthropic:*` its models are reached as `anthropic:NAME`.
        let begins = name.strip_suffix('*').filter(|begins| begins.ends_with(':')).unwrap_or_default();
        let prefixed = |mut info: ModelInfo| {
            if !info.id.starts_with(begins) {
                info.id.insert_str(0, begins);
            }
            info
        };
        match model.models().await {
            Ok(models) => Ok(models.into_iter().map(prefixed).filter(reached).collect()),
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl ChatModel for ByName {
    fn stream(&self, mut request: ModelRequest) -> BoxStream<'static, Result<ModelEvent>> {
        match self.pick(request.model.as_deref()) {
            Ok((name, model)) => {
                request.model = request.model.filter(|_| name.ends_with('*'));
                model.stream(request)
            }
            Err(error) => stream::once(ready(Err(error))).boxed(),
        }
    }

    fn name(&self) -> &str {
        self.pick(None).map_or("model", |(_, model)| model.name())
    }

    fn takes_images(&self) -> bool {
        self.pick(None).is_ok_and(|(_, model)| model.takes_images())
    }

    /// The whole names, and of the others what their models list and is reached by its name.
    async fn models(&self) -> Result<Vec<ModelInfo>> {
        let mut all = Vec::new();
        for (name, model) in &self.0 {
            all.extend(self.listed(name, model).await?);
        }
        all.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(all)
    }

    fn provider(&self) -> Provider {
        self.pick(None).map_or_else(|_| Provider::default(), |(_, model)| model.provider())
    }

    fn chosen(&self, model: Option<&str>) -> Result<Option<&dyn ChatModel>> {
        let (name, chosen) = self.pick(model)?;
        let inner = chosen.chosen(model.filter(|_| name.ends_with('*')))?;
        Ok(Some(inner.unwrap_or(&**chosen)))
    }

    fn preview(&self, request: &ModelRequest) -> Result<Value> {
        let (name, model) = self.pick(request.model.as_deref())?;
        let said = request.model.clone().filter(|_| name.ends_with('*'));
        model.preview(&ModelRequest { model: said, ..request.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scripted;

    fn model(name: &str) -> Scripted {
        Scripted::reply(name).named(name)
    }

    /// What the one who answers says, and which model it was asked for.
    async fn asked(all: &ByName, models: &[&Scripted], name: Option<&str>) -> (String, Option<String>) {
        let before: Vec<_> = models.iter().map(|model| model.asked()).collect();
        let request = ModelRequest { model: name.map(str::to_owned), ..ModelRequest::default() };
        let events: Vec<_> = all.stream(request).collect().await;
        let Some(Ok(ModelEvent::Text(said))) = events.first() else { panic!("{events:?}") };
        let who = models.iter().zip(before).find(|(model, before)| model.asked() > *before).unwrap().0;
        (said.clone(), who.requests().pop().unwrap().model)
    }

    #[test]
    fn a_preview_is_that_of_the_one_who_would_answer() {
        let all = ByName::new().with("fast", model("tiny")).with("gpt-*", model("gpt-4o"));
        let named = |name: &str| ModelRequest { model: Some(name.to_owned()), ..ModelRequest::default() };
        let shown = |name: &str| all.preview(&named(name)).unwrap()["model"].clone();
        assert_eq!((shown("fast"), shown("gpt-5")), ("tiny".into(), "gpt-5".into()));
        assert_eq!(all.preview(&named("other")).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[tokio::test]
    async fn the_name_chooses_and_only_a_pattern_passes_it_on() {
        let (image, mini, gpt, rest) = (model("image"), model("mini"), model("gpt"), model("rest"));
        let all = ByName::new()
            .with("image", model("another"))
            .with("*", rest.clone())
            .with("gpt-*", gpt.clone())
            .with("gpt-mini*", mini.clone())
            .with("image", image.clone());
        let models = [&image, &mini, &gpt, &rest];
        for (name, who, passed) in [
            (Some("image"), "image", None),
            (Some("images"), "rest", Some("images")),
            (Some("gpt-4o"), "gpt", Some("gpt-4o")),
            (Some("gpt-mini"), "mini", Some("gpt-mini")),
            (None, "rest", None),
        ] {
            assert_eq!(asked(&all, &models, name).await, (who.to_owned(), passed.map(str::to_owned)));
            assert_eq!(all.chosen(name).unwrap().unwrap().name(), who);
        }
        assert_eq!(all.name(), "rest");
    }

    #[tokio::test]
    async fn without_a_star_the_first_answers_and_an_unknown_name_is_refused_with_the_known_ones() {
        let all = ByName::new().with("good", model("good")).with("fast-*", model("fast").without_images());
        assert_eq!((all.name(), all.chosen(None).unwrap().unwrap().name()), ("good", "good"));
        assert!(all.takes_images() && !all.chosen(Some("fast-1")).unwrap().unwrap().takes_images());
        let request = || ModelRequest { model: Some("new\n".repeat(99)), ..ModelRequest::default() };
        let streamed = all.stream(request()).collect::<Vec<_>>().await.pop().unwrap();
        for error in [streamed.unwrap_err(), all.chosen(Some(&"new\n".repeat(99))).err().unwrap()] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.message().ends_with("there are: good, fast-*"), "{error}");
            assert!(error.context("model").is_some_and(|name| name.len() == SHOWN && name.starts_with("new\\nnew")));
        }
        assert!(ByName::new().chosen(None).is_err() && ByName::new().name() == "model");
    }

    #[tokio::test]
    async fn the_list_has_what_can_be_chosen() {
        let ids = |list: Vec<ModelInfo>| list.into_iter().map(|info| info.id).collect::<Vec<_>>();
        let inner = ByName::new().with("gpt-4o", model("a")).with("image", model("b")).with("llama", model("c"));
        let all = ByName::new().with("image", model("x")).with("gpt-*", inner.clone()).with("fast", model("y"));
        assert_eq!(ids(all.models().await.unwrap()), ["fast", "gpt-4o", "image"]);
        let prefixed = ByName::new().with("some:*", inner.clone()).with("*", model("z"));
        assert_eq!(ids(prefixed.models().await.unwrap()), ["some:gpt-4o", "some:image", "some:llama", "z"]);
        assert_eq!(ids(all.with("*", inner).models().await.unwrap()), ["fast", "gpt-4o", "image", "llama"]);
    }
}
