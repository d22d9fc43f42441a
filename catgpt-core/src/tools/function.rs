//! Tools made of a function: with the arguments as they came, or (feature `schemars`) with a type that says what they are.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{CallAt, Tool, ToolRules};
use crate::error::Result;
use crate::model::ToolSpec;

/// A function as a [`Tool`].
pub struct Function {
    spec: ToolSpec,
    rules: ToolRules,
    call: Box<dyn Fn(CallAt, Value) -> BoxFuture<'static, Result<Value>> + Send + Sync>,
}

/// Makes a tool of a function that takes the arguments as the model wrote them.
///
/// ```
/// use catgpt_core::{ToolSpec, tools};
/// use serde_json::json;
///
/// let parameters = json!({ "type": "object", "properties": {} });
/// let spec = ToolSpec { name: "time".into(), description: "What time it is.".into(), parameters };
/// let time = tools::function(spec, |_at, _arguments| async { Ok(json!("noon")) }).parallel();
/// ```
pub fn function<F, A>(spec: ToolSpec, call: F) -> Function
where
    F: Fn(CallAt, Value) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Value>> + Send + 'static,
{
    let call = Box::new(move |at, arguments| call(at, arguments).boxed());
    Function { spec, rules: ToolRules::default(), call }
}

impl Function {
    /// Somebody has to agree before it is called.
    #[must_use]
    pub fn approval(mut self) -> Self {
        self.rules.approval = true;
        self
    }

    /// It may run beside other calls.
    #[must_use]
    pub fn parallel(mut self) -> Self {
        self.rules.parallel = true;
        self
    }

    /// How long one call may take, [`TIMEOUT`](super::TIMEOUT) if nothing is said.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.rules.timeout = timeout;
        self
    }
}

#[async_trait]
impl Tool for Function {
    fn spec(&self) -> ToolSpec {
        self.spec.clone()
    }

    fn rules(&self) -> ToolRules {
        self.rules
    }

    async fn call(&self, at: &CallAt, arguments: Value) -> Result<Value> {
        (self.call)(at.clone(), arguments).await
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function").field("name", &self.spec.name).field("rules", &self.rules).finish_non_exhaustive()
    }
}

/// Makes a tool of a function whose arguments have a type: the schema is the type's, with the words of its doc comments,
/// and arguments that do not fit it are answered with what is wrong and where.
///
/// ```
/// use catgpt_core::tools;
/// use schemars::JsonSchema;
/// use serde::Deserialize;
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Place {
///     /// The city, in English.
///     city: String,
/// }
///
/// let weather = tools::typed("weather", "The weather of today.", |_at, Place { city }| async move {
///     Ok(format!("Sunny in {city}."))
/// });
/// ```
#[cfg(feature = "schemars")]
pub fn typed<T, F, A, R>(name: impl Into<String>, description: impl Into<String>, call: F) -> Function
where
    T: serde::de::DeserializeOwned + schemars::JsonSchema + Send + 'static,
    F: Fn(CallAt, T) -> A + Send + Sync + 'static,
    A: Future<Output = Result<R>> + Send + 'static,
    R: serde::Serialize + 'static,
{
    let spec = ToolSpec { name: name.into(), description: description.into(), parameters: schema::<T>() };
    function(spec, move |at, arguments| {
        let answer = read(arguments).map(|arguments| call(at, arguments));
        async move { serde_json::to_value(answer?.await?).map_err(unwritable) }
    })
}

/// The schema in one piece: models read references badly.
#[cfg(feature = "schemars")]
fn schema<T: schemars::JsonSchema>() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    // The name of the type says nothing that the tool's does not.
    schema.remove("title");
    schema.to_value()
}

/// The arguments, or what the model is told of them. They are its own words, so they may be quoted.
#[cfg(feature = "schemars")]
fn read<T: serde::de::DeserializeOwned>(arguments: Value) -> Result<T> {
    serde_path_to_error::deserialize(arguments).map_err(|error| {
        let (path, expected) = (error.path().to_string(), error.into_inner());
        crate::error::Error::invalid(format!("the arguments do not fit at `{path}`: {expected}"))
    })
}

#[cfg(feature = "schemars")]
fn unwritable(_: serde_json::Error) -> crate::error::Error {
    crate::error::Error::new(crate::error::ErrorKind::Unexpected, "the tool's result has no JSON form")
}

#[cfg(all(test, feature = "schemars"))]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Deserialize, JsonSchema)]
    struct Trip {
        /// Where to.
        to: Place,
        #[serde(default)]
        days: Option<u8>,
    }

    #[derive(Deserialize, JsonSchema)]
    struct Place {
        city: String,
    }

    #[test]
    fn a_schema_stands_in_one_piece() {
        let schema = schema::<Trip>();
        assert_eq!(schema["type"], "object");
        assert_eq!(schema["required"], json!(["to"]));
        assert_eq!(schema["properties"]["to"]["properties"]["city"]["type"], "string");
        assert_eq!(schema["properties"]["to"]["description"], "Where to.");
        let text = schema.to_string();
        assert!(["$ref", "$defs", "$schema", "title"].iter().all(|word| !text.contains(word)), "{text}");
    }

    #[test]
    fn wrong_arguments_are_named_with_their_place() {
        let said = |arguments| read::<Trip>(arguments).err().unwrap().to_string();
        let wrong = said(json!({ "to": { "city": 7 } }));
        assert!(wrong.contains("`to.city`") && wrong.contains("expected a string"), "{wrong}");
        let missing = said(json!({ "to": {} }));
        assert!(missing.contains("`to`") && missing.contains("missing field `city`"), "{missing}");
        assert!(said(json!("half a js")).contains("expected struct Trip"));
        let trip: Trip = read(json!({ "to": { "city": "Kyoto" }, "days": 3 })).unwrap();
        assert_eq!((trip.to.city.as_str(), trip.days), ("Kyoto", Some(3)));
    }
}
