//! What scenarios ask of models beside turns: titles and summaries.

use std::collections::VecDeque;

use catgpt_core::{Result, Session};
use serde::de::DeserializeOwned;
use serde_json::{Value, from_value, json};

use crate::kit::{Fields, take};

/// A call of this session by its name, and what it gives as JSON.
pub(crate) async fn call(session: &Session, step: &mut Fields) -> Result<Value> {
    let name: String = take(step, "call");
    let mut with = take::<Option<VecDeque<Value>>>(step, "with").unwrap_or_default();
    let got = match name.as_str() {
        "info" => json!(session.info().await?),
        "make_title" => json!(session.make_title().await?),
        "rename" => json!(session.rename(&next::<String>(&mut with)).await?),
        "set_summary" => json!(session.set_summary(next(&mut with)).await?),
        "summaries" => json!(session.summaries().await?),
        "summarize" => json!(session.summarize(None).await?),
        _ => panic!("unknown: {name}"),
    };
    assert!(with.is_empty(), "unknown: {with:?}");
    Ok(got)
}

fn next<T: DeserializeOwned>(with: &mut VecDeque<Value>) -> T {
    from_value(with.pop_front().unwrap_or_default()).expect("what the call takes")
}
