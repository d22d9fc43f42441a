//! A model calls the tools of an MCP server. This program is both: with `--server` it is the server, which speaks on its
//! standard input and output as any other does; without, it starts itself as one, as it would start `npx` or `uvx`.
//!
//! ```sh
//! cargo run -p examples --example mcp
//! ```

use std::sync::Arc;

use catgpt_core::model::Step;
use catgpt_core::{Decision, Engine, Event, FinishReason, Reply, Scripted, ToolCall};
use catgpt_mcp::McpServer;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, JsonObject, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer, ServiceExt};
use serde_json::{Value, json};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    if std::env::args().any(|arg| arg == "--server") {
        Kitchen.serve(rmcp::transport::stdio()).await?.waiting().await?;
        return Ok(());
    }
    // What says that it changes nothing is called at once; for all else somebody has to agree.
    let tools = McpServer::new().prefix("kitchen_").run(std::env::current_exe()?, ["--server"]).await?;
    for tool in tools.tools() {
        println!("{}: {}", tool.spec().name, if tool.rules().approval { "asks first" } else { "is called at once" });
    }

    // In the place of a model: what one would say.
    let call =
        |id: &str, name: &str, arguments: Value| Step::call(ToolCall { id: id.into(), name: name.into(), arguments });
    let wants = || Step::finish(FinishReason::ToolCalls);
    let model = Scripted::script([call("1", "kitchen_bowls", json!({})), wants()])
        .then(Scripted::script([call("2", "kitchen_fill", json!({ "bowl": "blue" })), wants()]))
        .then(Scripted::reply("The blue bowl is full now."));

    let engine = Engine::builder().model(model).tools(tools)?.build();
    let session = engine.user("alice")?.session("kitchen")?;
    let pending = show(session.send("Is there anything to eat?").await?).await;
    assert_eq!(pending, ["2"], "one call changes something");

    println!("[somebody agrees]");
    let pending = show(session.decide(pending.into_iter().map(Decision::approve)).await?).await;
    assert!(pending.is_empty());
    engine.close(std::time::Duration::from_secs(5)).await?;
    Ok(())
}

/// Shows a reply; gives the calls that wait for somebody.
async fn show(mut reply: Reply) -> Vec<String> {
    let mut pending = Vec::new();
    while let Some(event) = reply.next().await {
        match event {
            Event::Text { text, .. } => println!("{text}"),
            Event::ToolCall { call, .. } => println!("-> {} {}", call.name, call.arguments),
            Event::ToolResult { result, .. } => println!("<- {}", result.output),
            Event::Finished(finished) => pending = finished.pending.into_iter().map(|call| call.id).collect(),
            _ => {}
        }
    }
    pending
}

/// The server: bowls, and what fills them.
#[derive(Clone)]
struct Kitchen;

impl ServerHandler for Kitchen {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = |properties: Value| -> Arc<JsonObject> {
            let fields = [("type".to_owned(), json!("object")), ("properties".to_owned(), properties)];
            Arc::new(fields.into_iter().collect())
        };
        let bowls = Tool::new("bowls", "Says which bowls are empty.", schema(json!({})));
        let bowl = json!({ "bowl": { "type": "string", "description": "its colour" } });
        let bowls = bowls.with_annotations(ToolAnnotations::new().read_only(true));
        let tools = vec![bowls, Tool::new("fill", "Fills a bowl.", schema(bowl))];
        Ok(ListToolsResult { tools, ..ListToolsResult::default() })
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let bowl = call.arguments.as_ref().and_then(|arguments| arguments.get("bowl")?.as_str());
        match (call.name.as_ref(), bowl) {
            ("bowls", _) => Ok(CallToolResult::structured(json!({ "empty": ["blue"] })).into()),
            ("fill", Some("blue")) => Ok(CallToolResult::success(vec![ContentBlock::text("filled")]).into()),
            ("fill", _) => Ok(CallToolResult::error(vec![ContentBlock::text("there is no such bowl")]).into()),
            _ => Err(ErrorData::invalid_params("there is no such tool", None)),
        }
    }
}
