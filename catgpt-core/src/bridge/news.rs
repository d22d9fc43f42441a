//! An owner's feed, one page a call: as data, or as bytes for the owner's own clients.

use serde::Serialize;

use super::json;
use crate::error::Result;
use crate::user::{News, User};
use crate::wire::{Encoding, feed};

/// A page, and where the next begins.
#[derive(Serialize)]
struct Page {
    after: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    news: Option<Vec<News>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// The next page after number `after`; without one, where the feed begins.
pub(super) async fn news(user: User, after: Option<u64>, limit: u32, encoding: Option<Encoding>) -> Result<String> {
    let Some(encoding) = encoding else {
        let (after, news) = next(&user, after, limit).await?;
        return Ok(json(&Page { after, news: Some(news), text: None }));
    };
    let begin = feed::begin(encoding.format)?;
    let (after, text) = match after {
        Some(after) => user.written(after, limit, &encoding).await?,
        None => {
            let after = user.journal_end().await?;
            (after, begin(after))
        }
    };
    Ok(json(&Page { after, news: None, text: Some(String::from_utf8_lossy(&text).into_owned()) }))
}

async fn next(user: &User, after: Option<u64>, limit: u32) -> Result<(u64, Vec<News>)> {
    let Some(after) = after else { return Ok((user.journal_end().await?, Vec::new())) };
    let news = user.news(after, limit).await?;
    Ok((news.last().map_or(after, |one| one.change.n), news))
}
