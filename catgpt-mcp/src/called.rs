//! One call: what goes to the server, and what becomes of its answer.

use std::sync::Arc;

use async_trait::async_trait;
use catgpt_core::{CallAt, Error, ErrorKind, Result, Tool, ToolRules, ToolSpec};
use rmcp::model::{CallToolRequestParams, CallToolResult, ContentBlock};
use rmcp::service::ServiceError;
use serde_json::Value;

use crate::server::Connection;

/// A tool that a server offers.
#[derive(Debug)]
pub(crate) struct McpTool {
    /// Its name at the server.
    pub(crate) name: String,
    pub(crate) spec: ToolSpec,
    pub(crate) rules: ToolRules,
    pub(crate) connection: Arc<Connection>,
}

#[async_trait]
impl Tool for McpTool {
    fn spec(&self) -> ToolSpec {
        self.spec.clone()
    }

    fn rules(&self) -> ToolRules {
        self.rules
    }

    /// Dropping this tells the server that nobody waits any more.
    async fn call(&self, _: &CallAt, arguments: Value) -> Result<Value> {
        let params = CallToolRequestParams::new(self.name.clone());
        let params = match arguments {
            Value::Object(arguments) => params.with_arguments(arguments),
            Value::Null => params,
            _ => return Err(Error::new(ErrorKind::InvalidInput, "the arguments of this tool are a JSON object")),
        };
        let called = Box::pin(self.connection.running.call_tool(params)).await;
        given(called.map_err(|error| failed(&error))?)
    }
}

/// Texts as a text, data as data, and what has pictures, sounds or resources in it as MCP writes it.
fn given(result: CallToolResult) -> Result<Value> {
    let CallToolResult { content, structured_content, is_error, .. } = result;
    let text = |block: &ContentBlock| block.as_text().map(|text| text.text.clone());
    if is_error == Some(true) {
        let said: Vec<_> = content.iter().filter_map(text).filter(|text| !text.is_empty()).collect();
        let data = structured_content.map(|data| data.to_string());
        let said = (!said.is_empty()).then(|| said.join("\n")).or(data);
        return Err(Error::new(
            ErrorKind::Refused,
            said.unwrap_or_else(|| "the tool failed and did not say why".into()),
        ));
    }
    let texts: Option<Vec<_>> = content.iter().map(text).collect();
    Ok(match (structured_content, texts) {
        (Some(data), _) => data,
        (None, Some(texts)) => Value::String(texts.join("\n")),
        (None, None) => Value::Array(content.iter().map(plain).collect()),
    })
}

fn plain(block: &ContentBlock) -> Value {
    serde_json::to_value(block).unwrap_or_default()
}

/// What the model is told where the server did not answer.
pub(crate) fn failed(error: &ServiceError) -> Error {
    match error {
        ServiceError::McpError(said) => Error::new(ErrorKind::Refused, said.message.to_string()),
        ServiceError::TransportClosed | ServiceError::TransportSend(_) => {
            Error::new(ErrorKind::Unavailable, "the MCP server is gone: its tools cannot be called any more")
        }
        ServiceError::Timeout { .. } => Error::new(ErrorKind::Timeout, "the MCP server did not answer in time"),
        _ => Error::new(ErrorKind::Unavailable, "the MCP server gave no answer that can be used"),
    }
}
