//! The index: each section of each file is a row of an FTS5 table, found by its words and ranked by BM25.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::{fs, io};

use rusqlite::{Connection, params};

/// A section.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Section {
    /// The file and the heading's anchor: `purring.md#why-cats-purr`.
    pub(crate) url: String,
    /// The file's title and the heading: `Purring: Why cats purr`.
    pub(crate) title: String,
    pub(crate) text: String,
}

/// An index in memory. A large one is a file: `Connection::open`, and only what has changed is read again.
pub(crate) struct Index(Mutex<Connection>);

impl Index {
    /// Reads the Markdown files of a folder.
    pub(crate) fn of(folder: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let connection = Connection::open_in_memory()?;
        // `porter` finds `purring` for `purr`. A word in a heading says more than one in the text; see the weights below.
        connection.execute_batch(
            "CREATE VIRTUAL TABLE sections USING fts5(url UNINDEXED, title, text, tokenize = 'porter unicode61')",
        )?;
        let mut files: Vec<_> = fs::read_dir(folder)?.collect::<io::Result<_>>()?;
        files.sort_by_key(fs::DirEntry::file_name);
        for file in files.iter().filter(|file| file.path().extension().is_some_and(|end| end == "md")) {
            for section in sections(&file.file_name().to_string_lossy(), &fs::read_to_string(file.path())?) {
                let row = params![section.url, section.title, section.text];
                connection.execute("INSERT INTO sections VALUES (?1, ?2, ?3)", row)?;
            }
        }
        Ok(Self(Mutex::new(connection)))
    }

    /// The best sections for a question, the best one first.
    pub(crate) fn search(&self, question: &str, top: u32) -> rusqlite::Result<Vec<Section>> {
        let words = question.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() > 2);
        // Quoted, a word is a word, whatever it means in a query; joined by OR, the rare words decide.
        let query: Vec<_> = words.map(|word| format!("\"{word}\"")).collect();
        if query.is_empty() {
            return Ok(Vec::new());
        }
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare_cached(
            "SELECT url, title, text FROM sections WHERE sections MATCH ?1 ORDER BY bm25(sections, 0, 2, 1) LIMIT ?2",
        )?;
        let section = |row: &rusqlite::Row<'_>| Ok(Section { url: row.get(0)?, title: row.get(1)?, text: row.get(2)? });
        statement.query_map(params![query.join(" OR "), top], section)?.collect()
    }
}

/// A file's sections: what stands under each heading.
fn sections(file: &str, markdown: &str) -> Vec<Section> {
    let (mut name, mut found) = (file.to_owned(), Vec::<Section>::new());
    for line in markdown.lines() {
        match line.strip_prefix('#').map(|rest| (rest.starts_with('#'), rest.trim_start_matches('#').trim())) {
            Some((false, heading)) => {
                heading.clone_into(&mut name);
                found.push(Section { url: file.to_owned(), title: name.clone(), text: String::new() });
            }
            Some((true, heading)) => {
                let url = format!("{file}#{}", heading.to_lowercase().replace(' ', "-"));
                found.push(Section { url, title: format!("{name}: {heading}"), text: String::new() });
            }
            None => {
                if let Some(section) = found.last_mut() {
                    section.text.push_str(line);
                    section.text.push('\n');
                }
            }
        }
    }
    found.iter_mut().for_each(|section| section.text = section.text.trim().to_owned());
    found.retain(|section| !section.text.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        Index::of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("retrieval/docs")).unwrap()
    }

    #[test]
    fn a_file_is_cut_at_its_headings() {
        let section = |url: &str, title: &str, text: &str| Section {
            url: url.to_owned(),
            title: title.to_owned(),
            text: text.to_owned(),
        };
        let markdown = "lost\n# Cats\n\nA word.\n\n## Empty\n## How They Purr\nSo.\nAnd so.\n";
        assert_eq!(
            sections("a.md", markdown),
            [section("a.md", "Cats", "A word."), section("a.md#how-they-purr", "Cats: How They Purr", "So.\nAnd so."),]
        );
    }

    #[test]
    fn a_question_finds_the_section_that_answers_it() {
        let index = index();
        for (question, url) in [
            ("Why do cats purr?", "purring.md#why-cats-purr"),
            ("may my cat eat onions", "food.md#what-cats-must-not-eat"),
            ("Do they dream?", "sleeping.md#dreams"),
        ] {
            let found = index.search(question, 3).unwrap();
            assert_eq!(found.first().map(|section| section.url.as_str()), Some(url), "{question}");
            assert!(found.len() <= 3, "{question}");
        }
    }

    #[test]
    fn what_means_something_in_a_query_is_only_words() {
        let index = index();
        assert_eq!(index.search("\"milk\" NEAR( OR * -", 1).unwrap()[0].url, "food.md#milk");
        for nothing in ["", "?!", "\"", "xylophone", "a b"] {
            assert_eq!(index.search(nothing, 3).unwrap(), [], "{nothing}");
        }
    }
}
