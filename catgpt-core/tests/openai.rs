//! The clients of all protocols against a server that goes wrong on purpose, over real connections.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::time::Duration;

use catgpt_core::model::Timeouts;
use catgpt_core::testkit::{Dialect, End, FakeServer, Fault, Script, refused_url};
use catgpt_core::{
    Anthropic, ChatModel, Error, ErrorKind, FinishReason, ModelEvent, ModelInfo, ModelRequest, OpenAi, PromptMessage,
    Responses, Role,
};
use futures_util::StreamExt;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// Short enough for a test, long enough for a busy machine.
const SHORT: Duration = Duration::from_millis(500);
const LONG: Duration = Duration::from_secs(60);

fn request(text: &str) -> ModelRequest {
    ModelRequest { messages: vec![PromptMessage::new(Role::User, text)], ..ModelRequest::default() }
}

fn client(url: &str) -> OpenAi {
    OpenAi::new("sk-test").base_url(url).expect("a server's address")
}

/// The client of a protocol.
fn speaking(dialect: Dialect, url: &str, limits: Timeouts) -> Arc<dyn ChatModel> {
    match dialect {
        Dialect::ChatCompletions => Arc::new(client(url).timeouts(limits)),
        Dialect::Messages => Arc::new(Anthropic::new("sk-test").base_url(url).unwrap().timeouts(limits)),
        Dialect::Responses => Arc::new(Responses::new("sk-test").base_url(url).unwrap().timeouts(limits)),
        _ => panic!("a protocol that this test does not know"),
    }
}

/// The text, the reason and the error that an answer came to.
async fn ask(model: &dyn ChatModel, text: &str) -> (String, Option<FinishReason>, Option<Error>) {
    let mut stream = model.stream(request(text));
    let (mut text, mut reason, mut failure) = (String::new(), None, None);
    while let Some(event) = stream.next().await {
        assert!(failure.is_none(), "an error ends the stream");
        match event {
            Ok(ModelEvent::Text(more)) => text += &more,
            Ok(ModelEvent::Finish(why)) => reason = Some(why),
            Ok(_) => {}
            Err(error) => failure = Some(error),
        }
    }
    assert!(stream.next().await.is_none(), "an ended stream stays ended");
    (text, reason, failure)
}

async fn fails(model: &dyn ChatModel) -> Error {
    ask(model, "Hi").await.2.expect("it fails")
}

#[tokio::test]
async fn a_preview_is_what_is_sent_and_has_no_key() {
    let server = FakeServer::start().await;
    let model = client(&server.url()).model("mock");
    let mut request = request("Hi");
    request.params.temperature = Some(0.7);
    let preview = model.preview(&request).unwrap();
    assert!(server.requests().is_empty() && !preview.to_string().contains("sk-test"));
    assert_eq!(preview["url"], format!("{}/chat/completions", server.url()));
    model.stream(request).for_each(|_| async {}).await;
    assert_eq!(preview["body"], server.requests()[0].body);
}

async fn comes_to_its_outcome(dialect: Dialect, script: Script, fault: Fault) {
    let server = FakeServer::start().await;
    let outcome = script.outcome();
    server.next(script);
    let idle = if fault == Fault::Silence { SHORT } else { LONG };
    let model = speaking(dialect, &server.url(), Timeouts { connect: LONG, first_byte: LONG, idle });
    let (text, reason, error) = ask(&*model, "Hi").await;
    assert!(server.requests()[0].path.ends_with(dialect.path()));
    let kind = error.as_ref().map(Error::kind);
    match fault {
        Fault::Reset => assert!(outcome.text.starts_with(&text), "{text}"),
        _ => assert_eq!(text, outcome.text, "{dialect:?}, {fault:?}: {error:?}"),
    }
    match outcome.end {
        End::Finished(why) => {
            assert_eq!(
                (reason, kind),
                (Some(FinishReason::from(why.to_owned())), None),
                "{dialect:?}, {fault:?}: {error:?}"
            );
        }
        End::Cut => {
            assert_eq!(reason, None, "{dialect:?}, {fault:?}");
            assert!(matches!(kind, None | Some(ErrorKind::Truncated)), "{dialect:?}, {fault:?}: {error:?}");
        }
        End::Error(expected) => assert_eq!((reason, kind), (None, Some(expected)), "{dialect:?}, {fault:?}: {error:?}"),
        _ => panic!("an ending that this test does not know"),
    }
}

#[tokio::test]
async fn every_fault_comes_to_its_outcome() {
    for dialect in Dialect::ALL {
        for fault in Fault::ALL.iter().copied() {
            comes_to_its_outcome(dialect, Script::from(fault), fault).await;
        }
    }
}

#[tokio::test]
async fn every_fault_comes_to_its_outcome_one_byte_a_write() {
    for dialect in Dialect::ALL {
        // A frame of many millions of bytes is not written one by one.
        for fault in Fault::ALL.iter().copied().filter(|fault| *fault != Fault::Huge) {
            comes_to_its_outcome(dialect, Script::from(fault).bytes_per_write(1), fault).await;
        }
    }
}

#[tokio::test]
async fn what_breaks_before_the_first_chunk_comes_to_its_outcome() {
    for dialect in Dialect::ALL {
        for fault in [Fault::Cut, Fault::Reset, Fault::NoFinish, Fault::DoneOnly, Fault::ErrorFrame, Fault::BadJson] {
            comes_to_its_outcome(dialect, Script::from(fault).at(0), fault).await;
        }
    }
}

#[tokio::test]
async fn nobody_listening_is_an_error_that_may_pass() {
    let url = refused_url();
    let error = fails(&client(&url)).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable());
    assert_eq!(error.context("url"), Some(format!("{url}/chat/completions").as_str()));
    assert!(error.context("cause").unwrap().contains("refused"), "{error}");
}

#[tokio::test]
async fn retry_after_is_read_in_all_its_forms() {
    let server = FakeServer::start().await;
    let limits = Timeouts { connect: LONG, first_byte: LONG, idle: LONG };
    for dialect in Dialect::ALL {
        let model = speaking(dialect, &server.url(), limits);
        for fault in [Fault::RateLimit, Fault::RateLimitMs, Fault::RateLimitDate] {
            server.next(fault);
            let error = fails(&*model).await;
            assert_eq!(error.retry_after(), Some(Duration::from_secs(1)), "{dialect:?}, {fault:?}");
            assert!(error.is_retryable());
            assert_eq!(error.context("status"), Some("429"));
            assert_eq!(error.context("request_id"), Some("req_fake"));
            let told = error.context("code").or_else(|| error.context("type"));
            assert!(told.is_some_and(|told| told.starts_with("rate_limit")), "{error:?}");
        }
        server.next(Fault::Quota);
        assert!(!fails(&*model).await.is_retryable());
    }
}

#[tokio::test]
async fn each_protocol_has_its_headers() {
    let server = FakeServer::start().await;
    for dialect in Dialect::ALL {
        let limits = Timeouts::default();
        ask(&*speaking(dialect, &server.url(), limits), "Hi").await;
        let asked = server.requests().pop().unwrap();
        let (bearer, key) = match dialect {
            Dialect::Messages => (None, Some("sk-test")),
            _ => (Some("Bearer sk-test"), None),
        };
        assert_eq!((asked.header("authorization"), asked.header("x-api-key")), (bearer, key), "{dialect:?}");
        let version = asked.header("anthropic-version");
        assert_eq!(version, (dialect == Dialect::Messages).then_some("2023-06-01"), "{dialect:?}");
    }
}

#[tokio::test]
async fn the_phases_have_their_own_limits() {
    let server = FakeServer::start().await;
    let limits = Timeouts { connect: LONG, first_byte: SHORT, idle: LONG };
    server.next(Script::from(Fault::Silence).at(0));
    let error = fails(&client(&server.url()).timeouts(limits)).await;
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().contains("begin"), "{error}");

    let limits = Timeouts { connect: LONG, first_byte: LONG, idle: SHORT };
    server.next(Fault::Silence);
    let (text, reason, error) = ask(&client(&server.url()).timeouts(limits), "Hi").await;
    let error = error.unwrap();
    assert_eq!((text.as_str(), reason, error.kind()), ("Hello ", None, ErrorKind::Timeout));
    assert!(error.message().contains("middle"), "{error}");
}

#[tokio::test]
async fn nothing_is_sent_before_the_first_poll() {
    let server = FakeServer::start().await;
    let model = client(&server.url());
    let unpolled = model.stream(request("one"));
    ask(&model, "two").await;
    drop(unpolled);
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].body["messages"][0]["content"], "two");
}

#[tokio::test]
async fn dropping_the_stream_hangs_up() {
    let server = FakeServer::start().await;
    server.next(Fault::Silence);
    let mut stream = client(&server.url()).stream(request("Hi"));
    assert_eq!(stream.next().await.unwrap().unwrap(), ModelEvent::Text("Hello ".into()));
    drop(stream);
    server.hung_up(0).await;
}

#[tokio::test]
async fn dropping_the_stream_before_the_first_byte_hangs_up_too() {
    let server = FakeServer::start().await;
    server.next(Script::from(Fault::Silence).at(0));
    let mut stream = client(&server.url()).stream(request("Hi"));
    tokio::select! {
        _ = stream.next() => panic!("the server is silent"),
        () = server.received(1) => {}
    }
    drop(stream);
    server.hung_up(0).await;
}

#[tokio::test]
async fn a_finished_answer_is_not_waited_for() {
    // The server has said why it stopped and then neither hangs up nor says [DONE]. The client gives it a moment.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer).await.unwrap();
        let body = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\n";
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
    });
    let limits = Timeouts { connect: LONG, first_byte: LONG, idle: SHORT };
    let (text, reason, error) = ask(&client(&url).timeouts(limits), "Hi").await;
    assert_eq!((text.as_str(), reason, error.map(|e| e.kind())), ("Hi", Some(FinishReason::Stop), None));
    serving.await.unwrap();
}

#[tokio::test]
async fn a_connection_is_used_again() {
    // The fake gives each connection its own port; wiremock does not tell. So the peer's port is looked at by hand.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (seen, mut accepted) = tokio::sync::mpsc::unbounded_channel();
    let target = FakeServer::start().await;
    let upstream = target.url().trim_start_matches("http://").trim_end_matches("/v1").to_owned();
    let relay = tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            seen.send(()).unwrap();
            let mut far = tokio::net::TcpStream::connect(&upstream).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    });
    let model = client(&url);
    for _ in 0..5 {
        assert_eq!(ask(&model, "Hi").await.0, "Hello wörld 🙂");
    }
    relay.abort();
    let mut connections = 0;
    while accepted.try_recv().is_ok() {
        connections += 1;
    }
    assert!(connections < 5, "each answer took a connection of its own");
}

#[tokio::test]
async fn statuses_have_their_kinds() {
    let kinds = [
        (301, ErrorKind::InvalidInput, false),
        (400, ErrorKind::InvalidInput, false),
        (401, ErrorKind::Unauthorized, false),
        (402, ErrorKind::RateLimited, false),
        (403, ErrorKind::Unauthorized, false),
        (404, ErrorKind::NotFound, false),
        (408, ErrorKind::Timeout, true),
        (409, ErrorKind::Unavailable, true),
        (422, ErrorKind::InvalidInput, false),
        (425, ErrorKind::Unavailable, true),
        (429, ErrorKind::RateLimited, true),
        (500, ErrorKind::Unavailable, true),
        (503, ErrorKind::Unavailable, true),
        (529, ErrorKind::Unavailable, true),
    ];
    let server = MockServer::start().await;
    for (status, kind, retryable) in kinds {
        server.reset().await;
        let response =
            ResponseTemplate::new(status).set_body_string("not even JSON").insert_header("x-request-id", "r1");
        Mock::given(method("POST")).and(path("/chat/completions")).respond_with(response).mount(&server).await;
        let error = fails(&client(&server.uri())).await;
        assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{status}: {error}");
        assert_eq!(error.context("status"), Some(status.to_string().as_str()));
        assert_eq!(error.context("request_id"), Some("r1"));
    }
}

#[tokio::test]
async fn the_key_of_a_request_goes_before_the_clients_own() {
    let server = MockServer::start().await;
    let answer = || ResponseTemplate::new(200).set_body_string("data: [DONE]\n\n");
    let with = |key: &str| Mock::given(header("authorization", format!("Bearer {key}").as_str()));
    with("sk-test").respond_with(answer()).expect(1).mount(&server).await;
    with("sk-other").respond_with(answer()).expect(1).mount(&server).await;
    let model = client(&server.uri());
    assert!(model.stream(request("Hi")).next().await.is_none());
    let other = ModelRequest { credentials: Some("sk-other".into()), ..request("Hi") };
    assert!(model.stream(other).next().await.is_none());
}

#[tokio::test]
async fn an_endpoint_without_a_key_gets_none() {
    let server = FakeServer::start().await;
    let model =
        OpenAi::keyless(&server.url()).unwrap().header("x-team", "cats").unwrap().organization("org-1").unwrap();
    ask(&model, "Hi").await;
    let asked = &server.requests()[0];
    assert_eq!(asked.header("authorization"), None);
    assert_eq!(asked.header("x-team"), Some("cats"));
    assert_eq!(asked.header("openai-organization"), Some("org-1"));
    assert_eq!(asked.header("accept"), Some("text/event-stream"));
}

#[tokio::test]
async fn neither_the_prompt_nor_the_key_stands_in_an_error() {
    let server = MockServer::start().await;
    let body = serde_json::json!({ "error": {
        "message": "Invalid message 'a secret of the user' for key sk-test", "type": "invalid_request_error", "code": "sk-test",
    } });
    let response = ResponseTemplate::new(400).set_body_json(body);
    Mock::given(method("POST")).respond_with(response).mount(&server).await;
    let quiet = format!("{:?}", fails(&client(&server.uri())).await);
    assert!(!quiet.contains("secret") && !quiet.contains("sk-test"), "{quiet}");
    assert!(quiet.contains("invalid_request_error"), "{quiet}");
    let open = format!("{:?}", fails(&client(&server.uri()).reveal_provider_messages()).await);
    assert!(open.contains("a secret of the user") && !open.contains("sk-test"), "{open}");
}

#[tokio::test]
async fn the_models_name_chooses_the_fault_and_how_often_it_happens() {
    let server = FakeServer::start().await;
    let model = client(&server.url()).model("mock,n=3,f=500,r=1");
    assert_eq!(fails(&model).await.kind(), ErrorKind::Unavailable);
    assert_eq!(ask(&model, "Hi").await.0, " the quick b");
}

#[tokio::test]
async fn a_long_answer_comes_whole() {
    let server = FakeServer::start().await;
    for knobs in ["mock,n=5000,w=64", "mock,n=5000,e=7,w=3", "mock,n=500,b=100"] {
        let model = client(&server.url()).model(knobs);
        let (text, reason, _) = ask(&model, "Hi").await;
        assert_eq!((text, reason), (Script::parse(knobs).outcome().text, Some(FinishReason::Stop)), "{knobs}");
    }
}

/// The body of what a server answers to this line.
async fn plain_http(address: &str, line: &str) -> serde_json::Value {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(line.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    loop {
        stream.read_buf(&mut answer).await.unwrap();
        let text = String::from_utf8_lossy(&answer);
        if let Some((_, body)) = text.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str(body)
        {
            return body;
        }
    }
}

#[tokio::test]
async fn the_program_serves_other_languages() {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_catgpt-fake-openai"))
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = lines.next_line().await.unwrap().unwrap();
    let address = url.trim_start_matches("http://").trim_end_matches("/v1");

    plain_http(address, "POST /next HTTP/1.1\r\ncontent-length: 7\r\n\r\nf=quota").await;
    assert_eq!(fails(&client(&url)).await.kind(), ErrorKind::RateLimited);
    assert_eq!(ask(&client(&url), "Hi").await.0, "Hello wörld 🙂");
    let requests = plain_http(address, "GET /requests HTTP/1.1\r\n\r\n").await;
    assert_eq!(requests[1]["body"]["messages"][0]["content"], "Hi");
    assert_eq!(requests[1]["progress"], "answered");
    let faults = plain_http(address, "GET /faults HTTP/1.1\r\n\r\n").await;
    assert_eq!(faults.as_array().map(Vec::len), Some(Fault::ALL.len()));
    assert_eq!(faults[0]["end"], serde_json::json!({ "error": "rate_limited" }));
    let refused = plain_http(address, "GET /refused HTTP/1.1\r\n\r\n").await;
    assert_eq!(fails(&client(refused["url"].as_str().unwrap())).await.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn anthropics_models_are_listed_too() {
    let server = FakeServer::start().await;
    let model = Anthropic::new("sk-test").base_url(&server.url()).unwrap();
    let ids: Vec<_> = model.models().await.unwrap().into_iter().map(|model| model.id).collect();
    assert_eq!(ids, ["fake", "fake-mini"]);
    let asked = &server.requests()[0];
    assert_eq!((asked.path.as_str(), asked.header("x-api-key")), ("/v1/models?limit=1000", Some("sk-test")));
}

async fn listed(next: impl Into<Script>) -> Result<Vec<ModelInfo>, Error> {
    let server = FakeServer::start().await;
    server.next(next);
    let model = client(&server.url()).timeouts(Timeouts { connect: SHORT * 4, first_byte: SHORT, idle: SHORT });
    let listed = model.models().await;
    let asked = &server.requests()[0];
    assert_eq!((asked.path.as_str(), asked.header("authorization")), ("/v1/models", Some("Bearer sk-test")));
    listed
}

#[tokio::test]
async fn the_endpoints_models_are_listed_by_id() {
    let models = listed(Script::default()).await.unwrap();
    let known = (models[0].created, models[0].owned_by.as_deref());
    assert_eq!(known, (Some(1_757_600_000), Some("catgpt")));
    for next in [Script::default(), Script::from(Fault::Bare)] {
        let ids: Vec<_> = listed(next).await.unwrap().into_iter().map(|model| model.id).collect();
        assert_eq!(ids, ["fake", "fake-mini"]);
    }
    let odd = listed(Fault::WrongTypes).await.unwrap();
    assert!(odd.len() == 1 && odd[0].created.is_none() && odd[0].owned_by.is_none(), "{odd:?}");
}

#[tokio::test]
async fn a_list_that_goes_wrong_says_how() {
    let table = [
        (Fault::BadKey, ErrorKind::Unauthorized),
        (Fault::NoModel, ErrorKind::NotFound),
        (Fault::RateLimit, ErrorKind::RateLimited),
        (Fault::ServerError, ErrorKind::Unavailable),
        (Fault::ErrorBody, ErrorKind::Unavailable),
        (Fault::WholeBody, ErrorKind::Unavailable),
        (Fault::Page, ErrorKind::Unavailable),
        (Fault::BadJson, ErrorKind::Unavailable),
        (Fault::Cut, ErrorKind::Unavailable),
        (Fault::Silence, ErrorKind::Timeout),
    ];
    for (fault, kind) in table {
        assert_eq!(listed(fault).await.unwrap_err().kind(), kind, "{fault:?}");
    }
    let nobody = client(&refused_url()).models().await.unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::Unavailable);
}
