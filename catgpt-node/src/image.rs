//! Pictures that travel in a message, as JSON.

use catgpt_core::{Image, Result};
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;

use crate::{thrown, write};

/// A picture of these bytes.
#[napi]
pub fn read_image(bytes: Uint8Array) -> napi::Result<String> {
    json(Image::from_bytes(&bytes))
}

/// A picture from a file.
#[napi]
pub fn load_image(path: String) -> napi::Result<String> {
    json(Image::load(path))
}

fn json(image: Result<Image>) -> napi::Result<String> {
    image.map(|image| write(&image)).map_err(thrown)
}
