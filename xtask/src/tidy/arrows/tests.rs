//! Planted violations of every arrow, and uses that are allowed.

use super::*;

fn found(file: &str, code: &str) -> Vec<String> {
    let path = format!("{CORE}{file}");
    check(&Source::new(&path, code))
        .into_iter()
        .map(|finding| format!("{}: {}", finding.line, finding.message))
        .collect()
}

#[track_caller]
fn fine(file: &str, code: &str) {
    assert_eq!(found(file, code), Vec::<String>::new(), "{file}: {code}");
}

#[track_caller]
fn wrong(file: &str, code: &str, expect: &str) {
    let found = found(file, code);
    assert!(found.len() == 1 && found[0].contains(expect), "{file}: {code}: {found:?}");
}

#[test]
fn lower_layers_may_be_used() {
    fine("error.rs", "use crate::id::TurnId;");
    fine("id.rs", "use crate::error::Error;");
    fine("model.rs", "use crate::error::Result; pub mod openai; pub use openai::OpenAi;");
    fine("model/openai.rs", "use super::sse::Frames; use crate::model::{ChatModel, retry}; use crate::error::Error;");
    fine("memory/sqlite/schema.rs", "use crate::memory::sqlite::Row; use crate::event::Change;");
    fine("turn.rs", "use crate::{event::Event, memory::{Finish, Kept}, model::retry::RetryPolicy};");
    fine("runner.rs", "use crate::turn::Turn; use tokio::sync::watch;");
    fine("persona.rs", "use crate::model::Params;");
    fine("body.rs", "use crate::memory::{Chunk, Row, View};");
    fine("reply.rs", "use crate::runner::Runner; use crate::live::local::Log;");
    fine("runner/begin.rs", "use crate::reply::Reply; use super::Runner; use super::super::turn::Turn;");
    fine("engine.rs", "use crate::user::User; use crate::runner::Runner; use crate::memory::InMemory;");
    fine("bridge/config.rs", "use crate::engine::Engine; use crate::model::{Offline, Scripted};");
    fine("testkit/server.rs", "use crate::model::ModelEvent; use crate::testkit::Fault;");
}

#[test]
fn arrows_that_point_up_are_found() {
    wrong("engine.rs", "use crate::bridge::Hub;", "must not use `bridge`");
    wrong("error.rs", "use crate::model::ChatModel;", "`error` (Data) must not use `model` (Seam)");
    wrong("memory.rs", "use crate::turn::Turn;", "must not use `turn`");
    wrong("memory.rs", "use crate::model::Params;", "must not use `model`");
    wrong("memory/in_memory.rs", "use crate::live::Live;", "must not use `live`");
    wrong("model/openai.rs", "fn f() { crate::runner::go() }", "must not use `runner`");
    wrong("prompt.rs", "use crate::turn::Turn;", "must not use `turn`");
    wrong("wire/sse.rs", "use crate::reply::Reply;", "must not use `reply`");
    wrong("runner.rs", "use crate::session::Session;", "must not use `session`");
    wrong("persona.rs", "use crate::body::Body;", "must not use `body`");
    wrong("memory/in_memory.rs", "use crate::body::Body;", "must not use `body`");
    wrong("user.rs", "use crate::engine::Engine;", "must not use `engine`");
    wrong("session.rs", "use crate::engine::Engine;", "must not use `engine`");
    wrong("engine.rs", "use crate::testkit::Server;", "must not use `testkit`");
    wrong("testkit.rs", "use crate::turn::Turn;", "must not use `turn`");
}

#[test]
fn every_way_to_write_a_path_is_read() {
    wrong("turn.rs", "use crate::{\n    error::Error,\n    engine::{Engine, EngineBuilder},\n};", "1: `turn`");
    wrong("turn.rs", "//! H.\n\nuse super::engine::Engine;", "3: `turn`");
    wrong("turn.rs", "macro_rules! m { () => { $crate::engine::f() } }", "must not use `engine`");
    wrong("turn.rs", "use crate::Engine;", "name the module that owns it");
    wrong("memory/in_memory.rs", "use super::super::runner::Runner;", "must not use `runner`");
    fine("memory/in_memory.rs", "use super::runner; crate::helper!(); pass!(crate::__helper);");
    fine("turn.rs", "mod inner { use super::Turn; }");
    fine("turn.rs", "/// See [`crate::engine::Engine`].\nfn f() { \"crate::engine\"; }");
    fine("turn.rs", "#[cfg(test)]\nmod tests {\n    use crate::engine::Engine;\n}\n");
    fine("turn/tests.rs", "use crate::engine::Engine;");
    fine("turn.rs", "pub(crate) fn f() {}");
}

#[test]
fn the_middle_names_no_leaf() {
    wrong("runner.rs", "use crate::model::openai::Config;", "the leaf `model::openai`");
    wrong("runner.rs", "use crate::memory::{Memory, in_memory};", "the leaf `memory::in_memory`");
    wrong("turn.rs", "use crate::{memory::{Memory, sqlite::Pragma}};", "the leaf `memory::sqlite`");
    wrong("user.rs", "use crate::memory::InMemory;", "`InMemory` is a leaf");
    wrong("engine.rs", "fn f() { Sqlite::open() }", "`Sqlite` is a leaf");
    fine("engine.rs", "fn open_sqlite(MySqlite: u8) {}");
}

#[test]
fn the_pure_middle_stays_pure() {
    for word in IMPURE {
        for file in ["turn.rs", "prompt.rs", "wire/json.rs"] {
            wrong(file, &format!("x {word}(y)"), "is pure");
        }
        fine("runner.rs", &format!("x {word}(y)"));
    }
    fine("turn.rs", "// no tokio here\n");
}

#[test]
fn a_file_without_a_place_is_found() {
    wrong("gadget.rs", "", "add it to MODULES in xtask/src/tidy/arrows.rs");
    wrong("gadget/wheel.rs", "", "add it to MODULES");
    wrong("turn.rs", "use crate::gadget::Gadget;", "add the module to MODULES");
    wrong("memory/oracle.rs", "", "add it to UNDER_SEAMS in xtask/src/tidy/arrows.rs");
    wrong("model/oracle/client.rs", "", "add it to UNDER_SEAMS");
    fine("lib.rs", "pub use crate::engine::Engine;");
    fine("bin/fake-server.rs", "");
    assert_eq!(check(&Source::new("catgpt-cli/src/gadget.rs", "use crate::gadget::X;")), []);
}
