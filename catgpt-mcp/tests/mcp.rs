//! A server that speaks with us over a pipe in memory: what it offers, and what becomes of each call.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use catgpt_core::{CallAt, ErrorKind, Owner, SessionId, Tool, TurnId};
use catgpt_mcp::{McpServer, McpTools};
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, JsonObject, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool as Offer, ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer, RunningService, ServiceExt};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(10);

/// Has one tool for each thing that a server can do.
#[derive(Clone, Default)]
struct Everything {
    begun: Arc<Notify>,
    stopped: Arc<Notify>,
}

impl ServerHandler for Everything {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        page: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = json!({ "type": "object", "properties": { "text": { "type": "string" } } });
        let schema: JsonObject = serde_json::from_value(schema).unwrap();
        let offer = |name: &'static str| Offer::new(name, format!("does {name}"), Arc::new(schema.clone()));
        let (tools, next_cursor) = match page.and_then(|page| page.cursor) {
            None => (vec![offer("echo").with_annotations(ToolAnnotations::new().read_only(true))], Some("more".into())),
            Some(_) => (
                ["files.write", "two", "picture", "fail", "blurred", "coded", "mute", "refuse", "hang"]
                    .map(offer)
                    .into(),
                None,
            ),
        };
        Ok(ListToolsResult { tools, next_cursor, ..ListToolsResult::default() })
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let text = |text: &str| ContentBlock::text(text);
        Ok(match call.name.as_ref() {
            "echo" => {
                let said = call.arguments.unwrap_or_default();
                CallToolResult::success(vec![text(said.get("text").and_then(Value::as_str).unwrap_or_default())])
            }
            "files.write" => CallToolResult::structured(json!({ "written": 3 })),
            "two" => CallToolResult::success(vec![text("one"), text("two")]),
            "picture" => CallToolResult::success(vec![ContentBlock::image("AAAA", "image/png")]),
            "fail" => CallToolResult::error(vec![text("the disk is full")]),
            "blurred" => {
                CallToolResult::error(vec![text("the page is gone"), ContentBlock::image("AAAA", "image/png")])
            }
            "coded" => {
                let mut coded = CallToolResult::structured_error(json!({ "code": 7 }));
                coded.content.clear();
                coded
            }
            "mute" => CallToolResult::error(Vec::new()),
            "refuse" => return Err(ErrorData::invalid_params("no such folder", None)),
            _ => {
                self.begun.notify_one();
                context.ct.cancelled().await;
                self.stopped.notify_one();
                CallToolResult::success(Vec::new())
            }
        }
        .into())
    }
}

async fn serving(handler: Everything, server: McpServer) -> (McpTools, RunningService<RoleServer, Everything>) {
    let (ours, theirs) = tokio::io::duplex(4096);
    let (read, write) = tokio::io::split(ours);
    let (tools, running) = tokio::join!(server.over(read, write), handler.serve(theirs));
    (tools.unwrap(), running.unwrap())
}

fn named<'a>(tools: &'a McpTools, name: &str) -> &'a Arc<dyn Tool> {
    tools.tools().iter().find(|tool| tool.spec().name == name).unwrap()
}

fn at() -> CallAt {
    let (owner, session) = (Owner::new("alice").unwrap(), SessionId::new("chat").unwrap());
    CallAt { owner, session, turn: TurnId::fresh(), id: "a".into(), key: "k".into() }
}

#[tokio::test]
async fn all_pages_are_offered_and_only_what_changes_nothing_runs_unasked() {
    let (tools, _server) = serving(Everything::default(), McpServer::new().prefix("disk_")).await;
    let names: Vec<String> = tools.tools().iter().map(|tool| tool.spec().name).collect();
    assert_eq!(
        names,
        [
            "disk_echo",
            "disk_files_write",
            "disk_two",
            "disk_picture",
            "disk_fail",
            "disk_blurred",
            "disk_coded",
            "disk_mute",
            "disk_refuse",
            "disk_hang"
        ]
    );
    let (echo, write) = (named(&tools, "disk_echo"), named(&tools, "disk_files_write"));
    assert_eq!(echo.spec().description, "does echo");
    assert_eq!(echo.spec().parameters["properties"]["text"]["type"], "string");
    assert_eq!((echo.rules().approval, echo.rules().parallel), (false, true));
    assert_eq!((write.rules().approval, write.rules().parallel), (true, false));
}

#[tokio::test]
async fn the_application_says_which_and_how() {
    let server = McpServer::new()
        .only(|tool| tool.name == "files.write" || tool.name == "echo")
        .approval(|tool| tool.destructive && tool.name == "echo")
        .timeout(Duration::from_millis(7));
    let (tools, _server) = serving(Everything::default(), server).await;
    let rules: Vec<_> = tools.tools().iter().map(|tool| (tool.spec().name, tool.rules())).collect();
    assert_eq!(
        rules.iter().map(|(name, rules)| (name.as_str(), rules.approval)).collect::<Vec<_>>(),
        [("echo", true), ("files_write", false)]
    );
    assert!(rules.iter().all(|(_, rules)| rules.timeout == Duration::from_millis(7)));
}

#[tokio::test]
async fn answers_are_texts_data_or_what_mcp_writes() {
    let (tools, _server) = serving(Everything::default(), McpServer::new()).await;
    let call = async |name: &str, arguments: Value| named(&tools, name).call(&at(), arguments).await;
    assert_eq!(call("echo", json!({ "text": "purr" })).await.unwrap(), "purr");
    assert_eq!(call("files_write", Value::Null).await.unwrap(), json!({ "written": 3 }));
    assert_eq!(call("two", json!({})).await.unwrap(), "one\ntwo");
    let picture = call("picture", json!({})).await.unwrap();
    assert_eq!(picture, json!([{ "type": "image", "data": "AAAA", "mimeType": "image/png" }]));
    for (name, said) in [
        ("fail", "the disk is full"),
        ("blurred", "the page is gone"),
        ("coded", r#"{"code":7}"#),
        ("mute", "the tool failed and did not say why"),
        ("refuse", "no such folder"),
    ] {
        assert_eq!(call(name, json!({})).await.unwrap_err().to_string(), said);
    }
    assert_eq!(call("echo", json!("text")).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_is_cancelled_at_the_server() {
    let handler = Everything::default();
    let (tools, _server) = serving(handler.clone(), McpServer::new()).await;
    let hang = Arc::clone(named(&tools, "hang"));
    let calling = tokio::spawn(async move { hang.call(&at(), json!({})).await });
    timeout(PATIENCE, handler.begun.notified()).await.unwrap();
    calling.abort();
    timeout(PATIENCE, handler.stopped.notified()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_goes_leaves_no_call_waiting() {
    let handler = Everything::default();
    let ((ours, mut near), (mut far, theirs)) = (tokio::io::duplex(4096), tokio::io::duplex(4096));
    let wire = tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
    let (read, write) = tokio::io::split(ours);
    let (tools, _server) = tokio::join!(McpServer::new().over(read, write), handler.clone().serve(theirs));
    let tools = tools.unwrap();
    let hang = Arc::clone(named(&tools, "hang"));
    let calling = tokio::spawn(async move { hang.call(&at(), json!({})).await });
    timeout(PATIENCE, handler.begun.notified()).await.unwrap();
    assert!(!tools.is_closed());
    wire.abort();
    let gone = timeout(PATIENCE, calling).await.unwrap().unwrap().unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::Unavailable, "{gone}");
    let again = timeout(PATIENCE, named(&tools, "echo").call(&at(), json!({}))).await.unwrap().unwrap_err();
    assert!(again.to_string().contains("gone"), "{again}");
    assert!(tools.is_closed());
}

#[tokio::test]
async fn what_cannot_be_spoken_with_is_an_error_that_says_so() {
    let missing = McpServer::new().run("there-is-no-such-program", [""; 0]).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    // This very test prints other things than MCP, and ends.
    let other = McpServer::new().run(std::env::current_exe().unwrap(), ["--list"]).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Unavailable, "{other}");
    let (ours, _theirs) = tokio::io::duplex(64);
    let (read, write) = tokio::io::split(ours);
    let silent = McpServer::new().connect_timeout(Duration::from_millis(20)).over(read, write).await.unwrap_err();
    assert_eq!(silent.kind(), ErrorKind::Timeout);
}
