//! Which models the endpoint has: its list, read as tolerantly as its answers.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::Endpoint;
use super::document::{read, unreadable};
use crate::error::{Error, ErrorKind, Result};
use crate::model::ModelInfo;

/// How long the list may take once the connection stands; no model has to be loaded for it.
const WITHIN: Duration = Duration::from_secs(30);

/// Asks the endpoint, by id and each id once.
pub(in crate::model) async fn models(endpoint: &Endpoint, query: &[(&str, &str)]) -> Result<Vec<ModelInfo>> {
    let timeouts = endpoint.timeouts;
    let most = timeouts.connect.saturating_add(timeouts.first_byte.min(WITHIN));
    let asked = async { read(endpoint.get("models", query).await?, endpoint.reveal).await };
    let late = |_| Error::new(ErrorKind::Timeout, "the endpoint did not list its models in time");
    let document = timeout(most, asked).await.map_err(late)??;
    let mut models: Vec<_> = rows(&document).ok_or_else(unreadable)?.iter().filter_map(info).collect();
    models.sort_by(|a, b| a.id.cmp(&b.id));
    models.dedup_by(|a, b| a.id == b.id);
    Ok(models)
}

/// OpenAI's form, a bare list (Together), or `models` (others).
fn rows(document: &Value) -> Option<&Vec<Value>> {
    let list = |name: &str| document.get(name).and_then(Value::as_array);
    document.as_array().or_else(|| list("data")).or_else(|| list("models"))
}

/// A row that names its model; of any other, nothing could be chosen.
fn info(row: &Value) -> Option<ModelInfo> {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let id = ["id", "name", "model"].iter().find_map(|name| text(&row[*name])).or_else(|| text(row))?;
    let created = &row["created"];
    #[allow(clippy::cast_possible_truncation, reason = "a time in seconds; what is beyond is cut to the bound")]
    let created = created.as_i64().or_else(|| created.as_f64().map(|time| time as i64));
    Some(ModelInfo { id, created: created.filter(|time| *time > 0), owned_by: text(&row["owned_by"]) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ids(document: &Value) -> Option<Vec<String>> {
        rows(document).map(|rows| rows.iter().filter_map(info).map(|info| info.id).collect())
    }

    #[test]
    fn lists_of_every_form_are_read() {
        let rows = json!([{ "id": "a" }, { "id": "" }, null, 3, { "name": "b", "id": 7 }, "c", { "owned_by": "x" }]);
        for document in [rows.clone(), json!({ "object": "list", "data": rows }), json!({ "models": rows })] {
            assert_eq!(ids(&document).unwrap(), ["a", "b", "c"], "{document}");
        }
        for document in [json!({}), json!("a"), json!({ "data": {} }), Value::Null] {
            assert_eq!(ids(&document), None);
        }
    }

    #[test]
    fn what_is_told_of_a_model_may_be_of_any_type() {
        let read = |created, owner| info(&json!({ "id": "a", "created": created, "owned_by": owner })).unwrap();
        assert_eq!(read(json!(1_700_000_000), json!("me")).created, Some(1_700_000_000));
        assert_eq!(read(json!(1_700_000_000.5), json!(null)).created, Some(1_700_000_000));
        for odd in [json!(0), json!("today"), json!(null), json!([])] {
            let info = read(odd.clone(), odd);
            assert!(info.created.is_none() && info.owned_by.is_none_or(|owner| owner == "today"));
        }
    }
}
