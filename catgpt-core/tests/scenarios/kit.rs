//! What the runner of the scenarios stands on: their JSON, the comparison, the model that plays their scripts.

mod hook;
mod tool;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use catgpt_core::limits::LimitKeys;
use catgpt_core::model::{Gate, Step};
use catgpt_core::{
    Cached, ChatModel, Content, Encryption, Engine, EngineBuilder, Limit, LocalKeys, Memory, ModelEvent, Part, Persona,
    Prices, PromptMessage, Reply, RetryPolicy, Scripted, Titles, TurnId,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, from_value, json};

use self::hook::Described;
use self::tool::Told;

pub(crate) type Fields = Map<String, Value>;
pub(crate) type Names = HashMap<String, Value>;

/// Takes a field out, so that what is left at the end is what nobody knows.
pub(crate) fn take<T: DeserializeOwned>(fields: &mut Fields, name: &str) -> T {
    from_value(fields.remove(name).unwrap_or_default()).unwrap_or_else(|error| panic!("`{name}`: {error}"))
}

pub(crate) fn take_or(fields: &mut Fields, name: &str, default: &str) -> String {
    take::<Option<String>>(fields, name).unwrap_or_else(|| default.to_owned())
}

/// The turn that a step means by its `$name`.
pub(crate) fn named(names: &Names, step: &mut Fields) -> TurnId {
    let name: String = take(step, "turn");
    from_value(names[&name].clone()).expect("a turn")
}

pub(crate) fn check(names: &mut Names, want: &Value, got: &Value) {
    assert!(same(names, want, got), "expected {want}\n     got {got}");
}

fn same(names: &mut Names, want: &Value, got: &Value) -> bool {
    match want {
        Value::String(any) if any == "*" => !got.is_null(),
        Value::String(name) if name.starts_with('$') => names.entry(name.clone()).or_insert_with(|| got.clone()) == got,
        Value::Object(fields) => got.is_object() && fields.iter().all(|(name, want)| same(names, want, &got[name])),
        Value::Array(list) => got.as_array().is_some_and(|got| {
            got.len() == list.len() && list.iter().zip(got).all(|(want, got)| same(names, want, got))
        }),
        _ => want == got,
    }
}

/// The next event; of text, as much as `want` has. After `finished` there must be nothing.
async fn next(reply: &mut Reply, want: &Value) -> Value {
    let mut got = json!(reply.next().await);
    while got["text"].is_string() && got["type"] == want["type"] && got["offset"].as_u64() < want["offset"].as_u64() {
        let more = json!(reply.next().await);
        let text = [&got, &more].map(|event| event["text"].as_str().unwrap_or_default()).concat();
        got = json!({ "type": more["type"], "text": text, "offset": more["offset"] });
    }
    if got["type"] == "finished" {
        assert_eq!(reply.next().await, None, "nothing comes after the end");
    }
    got
}

pub(crate) async fn expect(names: &mut Names, reply: &mut Reply, events: Vec<Value>) {
    assert!(!events.is_empty(), "expecting nothing cannot fail");
    for want in events {
        check(names, &want, &next(reply, &want).await);
    }
}

/// What models cost in the scenario's engines, what these allow, who has a say in their turns, and what they can do.
pub(crate) type Policy =
    (Option<Prices>, Option<Vec<Limit>>, Option<Described>, Option<bool>, Option<Vec<Told>>, Option<String>);

pub(crate) fn policy(scenario: &mut Fields) -> Policy {
    // All stores here are the library's own.
    scenario.remove("built_in");
    let (prices, limits) = (take(scenario, "prices"), take(scenario, "limits"));
    let (tools, keys) = (take(scenario, "tools"), take(scenario, "encryption"));
    (prices, limits, take(scenario, "hook"), take(scenario, "titles"), tools, keys)
}

/// An engine that does not pause between tries, and whose dead are found soon.
pub(crate) fn open(
    model: &Arc<dyn ChatModel>,
    memory: &Arc<dyn Memory>,
    persona: Option<Persona>,
    (prices, limits, hook, titles, tools, keys): &Policy,
) -> Engine {
    let retry = RetryPolicy { base: Duration::ZERO, ..RetryPolicy::default() };
    let engine = Engine::builder().model(Arc::clone(model)).memory(Arc::clone(memory)).retry(retry);
    let engine = if *titles == Some(true) { engine.titles(Titles::default()) } else { engine };
    let engine = hook.iter().cloned().fold(engine, EngineBuilder::hook);
    let engine = engine.tools(tools.iter().flatten().map(Told::tool)).expect("tools");
    let engine = limits.iter().flatten().cloned().fold(engine, EngineBuilder::limit);
    let keys = keys.iter().map(|keys| Encryption::new(LocalKeys::parse(keys).unwrap()));
    let engine = keys.fold(engine, EngineBuilder::encryption);
    let engine = prices.iter().cloned().fold(engine, EngineBuilder::prices);
    engine.persona(persona.unwrap_or_else(Persona::plain)).lease(Duration::from_secs(2)).build()
}

/// A model that plays one script a call, and the gates in it.
pub(crate) fn scripted(scripts: Vec<Vec<Fields>>) -> (Scripted, HashMap<String, Gate>) {
    let mut gates = HashMap::new();
    let mut script = |says: Vec<_>| Scripted::script(says.iter().map(|say| step(say, &mut gates)).collect::<Vec<_>>());
    let models: Vec<_> = scripts.into_iter().map(&mut script).collect();
    (models.into_iter().reduce(Scripted::then).expect("`models` must not be empty"), gates)
}

/// The model as engines get it: with a cache if the scenario has one.
pub(crate) fn cached(model: &Scripted, cache: Option<Fields>) -> Arc<dyn ChatModel> {
    let Some(mut cache) = cache else { return Arc::new(model.clone()) };
    let bytes: Option<usize> = take(&mut cache, "bytes");
    assert!(cache.is_empty(), "unknown: {cache:?}");
    Arc::new(bytes.into_iter().fold(Cached::new(model.clone()), Cached::bytes))
}

/// The keys by which limits count.
pub(crate) fn keys(step: &mut Fields) -> LimitKeys {
    take::<Option<_>>(step, "limit_keys").unwrap_or_default()
}

/// What is said: a text, or texts and parts.
pub(crate) fn content(step: &mut Fields) -> Content {
    match take(step, "content") {
        Value::Null => take::<String>(step, "text").into(),
        Value::Array(pieces) => pieces.into_iter().map(piece).collect(),
        other => panic!("no content: {other}"),
    }
}

fn piece(piece: Value) -> Part {
    piece.as_str().map(Part::text).unwrap_or_else(|| from_value(piece).expect("a part"))
}

/// How often it was asked, and what the last time.
pub(crate) fn asked(model: &Scripted) -> Value {
    let last = model.requests().pop().map(|request| request.messages).unwrap_or_default();
    let url = |part: &Part| if let Part::Image(image) = part { Some(image.url.clone()) } else { None };
    let message = |one: &PromptMessage| {
        let images: Vec<_> = one.content.parts().iter().filter_map(url).collect();
        let images = (!images.is_empty()).then_some(images);
        let tools: Vec<_> = one.content.parts().iter().filter_map(tool::word).collect();
        let tools = (!tools.is_empty()).then_some(tools);
        json!({ "role": one.role, "text": one.content.text(), "images": images, "tools": tools })
    };
    let messages = last.iter().map(message);
    json!({ "times": model.asked(), "messages": messages.collect::<Vec<_>>() })
}

fn step(say: &Fields, gates: &mut HashMap<String, Gate>) -> Step {
    let [(key, value)] = say.iter().collect::<Vec<_>>()[..] else { panic!("not one key: {say:?}") };
    let text = value.as_str().unwrap_or_default();
    match key.as_str() {
        "text" => Step::text(text),
        "reasoning" => Step::reasoning(text),
        "call" => Step::call(from_value(value.clone()).expect("a call")),
        "part" => Step::part(from_value(value.clone()).expect("a part")),
        "usage" => Step::Event(ModelEvent::Usage(from_value(value.clone()).expect("a usage"))),
        "finish" => Step::finish(text.to_owned().into()),
        "error" => Step::fails(from_value(value.clone()).expect("a kind of error")),
        "gate" => Step::gate(gates.entry(text.into()).or_default()),
        "hang" => Step::Hang,
        _ => panic!("unknown: {say:?}"),
    }
}
