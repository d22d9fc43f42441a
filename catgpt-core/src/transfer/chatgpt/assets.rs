//! Which file of an export holds the picture that a message points at.

use std::collections::HashMap;

/// The files of an export beside its conversations, by the id with which their names begin.
#[derive(Debug, Default)]
pub(super) struct Assets(HashMap<String, String>);

impl Assets {
    /// Remembers a file by its path in the export.
    pub(super) fn add(&mut self, path: &str) {
        let name = path.rsplit('/').next().unwrap_or(path);
        if let Some(id) = id(name) {
            self.0.entry(id.to_owned()).or_insert_with(|| path.to_owned());
        }
    }

    /// The file's path in the export; the pointer itself if there is no such file.
    pub(super) fn find(&self, pointer: &str) -> String {
        let ids = pointer.split(['/', '#', '?']).filter_map(id);
        ids.filter_map(|id| self.0.get(id)).next().cloned().unwrap_or_else(|| pointer.to_owned())
    }
}

/// `file-AbC1` of `file-AbC1-cat.png`, and `file_00ab` of `file_00ab-sanitized.dat`.
fn id(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("file-").or_else(|| name.strip_prefix("file_"))?;
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
    (end > 0).then(|| &name[..end + "file-".len()])
}

/// The media type that a name's ending stands for.
pub(super) fn media_type(name: &str) -> Option<String> {
    let ending = name.rsplit_once('.')?.1.to_ascii_lowercase();
    let known = match ending.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        _ => return None,
    };
    Some(known.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_leads_to_its_file() {
        let mut assets = Assets::default();
        for path in ["file-AbC1-cat.png", "dalle-generations/file-Xy-0.webp", "c1/file_00ab-sanitized.dat", "chat.html"]
        {
            assets.add(path);
        }
        for (pointer, path) in [
            ("file-service://file-AbC1", "file-AbC1-cat.png"),
            ("sediment://file_00ab", "c1/file_00ab-sanitized.dat"),
            ("sediment://3f#file-Xy#p_0.jpg", "dalle-generations/file-Xy-0.webp"),
            ("file-service://file-AbC12", "file-service://file-AbC12"),
        ] {
            assert_eq!(assets.find(pointer), path);
        }
        assert_eq!(media_type("a.JPG").as_deref(), Some("image/jpeg"));
        assert_eq!(media_type("a.dat"), None);
    }
}
