//! A picture by reference: what may stand there, and what of it a model is sent.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The longest reference that is not a `data:` URL, in bytes; signed links are long.
const MAX_URL: usize = 8 << 10;
/// The longest description, in bytes.
const MAX_ALT: usize = 4 << 10;

/// A picture, by reference.
///
/// | `url` | a model is sent |
/// | --- | --- |
/// | `https:`, `http:` | the URL, which its provider fetches; catgpt never does |
/// | `data:image/…;base64,…` | the bytes |
/// | another scheme, such as `ref:42` | `[image: alt]` as text: it is the application's own, which shows it to people |
///
/// A picture in a *reply* is never sent back as one, whatever its reference: no provider takes it there. The model
/// reads `[image: alt]` in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Image {
    /// Where it is.
    pub url: String,
    /// Its media type, such as `image/png`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What it shows, for those who do not see it: people, and models that are not sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt: Option<String>,
    /// How closely the model looks, and what that costs; the provider decides if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
}

/// How closely a model looks at a picture, in the words of the Chat Completions protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Detail {
    /// As the provider sees fit.
    Auto,
    /// At a small copy, for few tokens.
    Low,
    /// At all of it.
    High,
}

impl Image {
    /// The most bytes of a picture that travels in a message: as base64 they still fit into it.
    pub const MAX_BYTES: usize = 11 << 20;

    /// The picture behind a reference.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), media_type: None, alt: None, detail: None }
    }

    /// A picture that travels in the message itself: PNG, JPEG, GIF or WebP, told by its first bytes.
    ///
    /// # Errors
    /// `InvalidInput` for what is none of these, or larger than [`MAX_BYTES`](Self::MAX_BYTES).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let Some(media_type) = media_type(bytes) else {
            return Err(Error::invalid("this is no picture that models take: give a PNG, JPEG, GIF or WebP"));
        };
        if bytes.len() > Self::MAX_BYTES {
            let limit = format!(
                "a picture in a message may have at most {} bytes: make it smaller, or give its URL",
                Self::MAX_BYTES
            );
            return Err(Error::invalid(limit).with("bytes", bytes.len()));
        }
        let url = format!("data:{media_type};base64,{}", STANDARD.encode(bytes));
        Ok(Self { media_type: Some(media_type.to_owned()), ..Self::new(url) })
    }

    /// The same from a file.
    ///
    /// # Errors
    /// `InvalidInput` for a file that cannot be read, too.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let at = |error: Error| error.with("path", path.display());
        let mut bytes = Vec::new();
        // One byte more than may be: that tells that it is too large, however large it is.
        let read = File::open(path).and_then(|file| file.take(Self::MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
        read.map_err(|error| at(Error::invalid("the picture cannot be read").caused_by(error)))?;
        Self::from_bytes(&bytes).map_err(at)
    }

    /// Says what it shows.
    #[must_use]
    pub fn alt(mut self, alt: impl Into<String>) -> Self {
        self.alt = Some(alt.into());
        self
    }

    /// Says how closely the model is to look.
    #[must_use]
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = Some(detail);
        self
    }

    /// Whether a model can see it: it is on the web, or its bytes are here. Else it is the application's own.
    pub fn is_visible(&self) -> bool {
        matches!(self.scheme().as_deref(), Some("https" | "http" | "data"))
    }

    /// What stands for it where it cannot be shown.
    pub fn in_words(&self) -> String {
        self.alt.as_deref().map_or_else(|| "[image]".to_owned(), |alt| format!("[image: {alt}]"))
    }

    fn scheme(&self) -> Option<String> {
        let (scheme, _) = self.url.split_once(':')?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        let named = scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(plain);
        named.then(|| scheme.to_ascii_lowercase())
    }

    /// Whether it may be said. The error does not repeat the URL, in which a key may stand.
    pub(crate) fn check(&self) -> Result<()> {
        if self.alt.as_ref().is_some_and(|alt| alt.len() > MAX_ALT || alt.contains('\0')) {
            return Err(Error::invalid(format!("an image's `alt` must be text of at most {MAX_ALT} bytes")));
        }
        if self.media_type.as_ref().is_some_and(|kind| !is_media_type(kind)) {
            return Err(Error::invalid("an image's `media_type` must be one, such as `image/png`"));
        }
        match self.scheme().as_deref() {
            None => Err(Error::invalid("an image's `url` must begin with https:, data: or a scheme of your own")),
            Some("data") => check_data(&self.url["data:".len()..]),
            Some("file" | "blob" | "javascript" | "vbscript") => {
                Err(Error::invalid("this image's `url` means nothing elsewhere: send its bytes, or an https: URL"))
            }
            Some(_) if self.url.len() > MAX_URL => {
                Err(Error::invalid(format!("an image's `url` may have at most {MAX_URL} bytes")))
            }
            Some(_) if self.url.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') => {
                Err(Error::invalid("an image's `url` holds spaces or control characters: escape them"))
            }
            Some(_) => Ok(()),
        }
    }
}

impl From<&str> for Image {
    fn from(url: &str) -> Self {
        Self::new(url)
    }
}

impl From<String> for Image {
    fn from(url: String) -> Self {
        Self::new(url)
    }
}

fn check_data(rest: &str) -> Result<()> {
    let bad = "an image's `data:` URL must be data:image/TYPE;base64, and the bytes as base64";
    let (kind, bytes) = rest.split_once(";base64,").ok_or_else(|| Error::invalid(bad))?;
    let whole = is_media_type(kind) && kind.starts_with("image/") && !bytes.is_empty();
    if whole && STANDARD.decode(bytes).is_ok() { Ok(()) } else { Err(Error::invalid(bad)) }
}

fn is_media_type(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/+-.".contains(&byte);
    text.len() <= 127 && text.bytes().all(plain) && text.bytes().filter(|byte| *byte == b'/').count() == 1
}

/// What the first bytes say. These four are what the providers take.
fn media_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some("image/png"),
        [0xFF, 0xD8, 0xFF, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn bytes_become_a_data_url_of_the_type_that_they_are() {
        let table: [(&[u8], &str); 4] = [
            (b"\x89PNG\r\n\x1a\n-", "image/png"),
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            (b"GIF89a", "image/gif"),
            (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        ];
        for (bytes, kind) in table {
            let image = Image::from_bytes(bytes).unwrap();
            assert_eq!(image.media_type.as_deref(), Some(kind));
            assert!(image.url.starts_with(&format!("data:{kind};base64,")) && image.is_visible());
            image.check().unwrap();
        }
        for bytes in [&b""[..], b"GIF", b"<svg/>", b"BM", b"RIFF\0\0\0\0WAVE", b"%PDF-1.7"] {
            assert_eq!(Image::from_bytes(bytes).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        let huge = [&b"GIF89a"[..], &vec![0; Image::MAX_BYTES]].concat();
        assert!(Image::from_bytes(&huge).unwrap_err().message().contains("at most"));
    }

    #[test]
    fn references_are_told_apart() {
        for (url, visible) in [
            ("https://a.example/cat.png?sig=1", true),
            ("HTTP://a.example/cat.png", true),
            ("data:image/png;base64,AAAA", true),
            ("ref:42", false),
            ("s3://bucket/cat.png", false),
        ] {
            let image = Image::new(url);
            image.check().unwrap();
            assert_eq!(image.is_visible(), visible, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_a_picture_is_refused_without_being_repeated() {
        let long = format!("https://a.example/{}", "x".repeat(MAX_URL));
        for url in [
            "",
            "cat.png",
            "/cat.png",
            ":x",
            "1a:x",
            "file:///etc/secret",
            "javascript:alert(1)",
            "https://a b",
            "data:text/html;base64,AAAA",
            "data:image/png,secret",
            "data:image/png;base64,",
            "data:image/png;base64,***",
            "ref:a\nb",
            &long,
        ] {
            let error = Image::new(url).check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        }
        assert!(Image::new("ref:1").alt("x".repeat(MAX_ALT + 1)).check().is_err());
        let typed = |kind: &str| Image { media_type: Some(kind.to_owned()), ..Image::new("ref:1") };
        assert!(
            typed("image/svg+xml").check().is_ok() && typed("png").check().is_err() && typed("a/b;c").check().is_err()
        );
    }

    #[test]
    fn its_words_are_its_description() {
        assert_eq!(Image::new("ref:1").in_words(), "[image]");
        assert_eq!(Image::new("ref:1").alt("a cat").in_words(), "[image: a cat]");
    }
}
