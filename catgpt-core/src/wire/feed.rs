//! An owner's feed as server-sent events or JSON lines: each piece of news under its number, with which a client that
//! comes back says where it was.
//!
//! ```
//! use std::future::ready;
//!
//! use catgpt_core::wire::{Format, feed};
//! use catgpt_core::{News, Result, User};
//! use futures_util::{Stream, StreamExt};
//!
//! /// The body of a response; its headers are `Format::Sse.headers()`.
//! async fn body(user: &User, last_event_id: Option<&str>) -> Result<impl Stream<Item = Vec<u8>> + use<>> {
//!     let after = match last_event_id.and_then(feed::parse_id) {
//!         Some(after) => after,
//!         None => user.journal_end().await?,
//!     };
//!     let begin = feed::begin(Format::Sse)?(after);
//!     let news = user.feed(after).filter_map(|news| ready(news.ok())).map(|news: News| {
//!         let mut bytes = Vec::new();
//!         feed::write(Format::Sse, news.change.n, &news, &mut bytes);
//!         bytes
//!     });
//!     Ok(futures_util::stream::iter([begin]).chain(news))
//! }
//! ```

use std::io::Write;

use serde::Serialize;

use super::{Format, json};
use crate::error::{Error, Result};

/// What is sent first, of the number after which the feed goes on: with it, also a client that has seen nothing yet comes
/// back to the right place.
///
/// # Errors
/// `InvalidInput` for a format that is one of replies alone.
pub fn begin(format: Format) -> Result<fn(u64) -> Vec<u8>> {
    match format {
        // An event without data is not shown to anybody, but its id is kept.
        Format::Sse => Ok(|after| format!("id: {after}\n\n").into_bytes()),
        Format::Ndjson => Ok(|_| Vec::new()),
        _ => Err(Error::invalid("a feed is sent as `sse` or `ndjson`")),
    }
}

/// Appends what happened as number `n`.
pub fn write(format: Format, n: u64, news: &impl Serialize, out: &mut Vec<u8>) {
    if format == Format::Sse {
        write!(out, "id: {n}\ndata: ").expect("memory takes every write");
    }
    json::value(news, out);
    out.extend_from_slice(if format == Format::Sse { b"\n\n" } else { b"\n" });
}

/// Reads an id back: the number to go on after. `None` for what is not such an id.
pub fn parse_id(id: &str) -> Option<u64> {
    id.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format) -> String {
        let mut out = begin(format).unwrap()(6);
        write(format, 7, &serde_json::json!({ "n": 7, "kind": "created" }), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn news_stand_under_their_number() {
        insta::assert_snapshot!(written(Format::Sse), @r#"
        id: 6

        id: 7
        data: {"kind":"created","n":7}
        "#);
        assert_eq!(written(Format::Ndjson), "{\"kind\":\"created\",\"n\":7}\n");
        assert!([Format::Ws, Format::UiMessageStream, Format::Text].map(begin).iter().all(Result::is_err));
    }

    #[test]
    fn an_id_leads_back() {
        assert_eq!([" 7", "0", "", "-1", "7:1", "x"].map(parse_id), [Some(7), Some(0), None, None, None, None]);
    }
}
