//! What a terminal shows of a document, whatever the pieces in which it comes.

use proptest::prelude::*;

use super::{Markdown, Width};

fn rendered(pieces: &[&str], width: usize, colours: bool) -> String {
    let mut markdown = Markdown::new(Width::Fixed(width), colours);
    let mut out = Vec::new();
    pieces.iter().for_each(|piece| markdown.push(piece, &mut out));
    markdown.finish(&mut out);
    String::from_utf8(out).unwrap()
}

fn plain(text: &str) -> String {
    rendered(&[text], 30, false)
}

/// With the numbers of styles in angle quotes.
fn styled(text: &str) -> String {
    let shown = rendered(&[text], 60, true);
    let mut parts = shown.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| match part.split_once('m') {
        Some(("0", text)) => all + "›" + text,
        Some((code, text)) => all + "‹" + code + " " + text,
        None => all + part,
    })
}

/// What is printed before the end is known.
fn so_far(text: &str) -> String {
    let (mut markdown, mut out) = (Markdown::new(Width::Fixed(30), false), Vec::new());
    text.chars().for_each(|c| markdown.push(&c.to_string(), &mut out));
    String::from_utf8(out).unwrap()
}

#[track_caller]
fn all(cases: &[(&str, &str)], show: fn(&str) -> String) {
    for (source, shown) in cases {
        assert_eq!(show(source), *shown, "{source:?}");
    }
}

#[test]
fn a_document() {
    let text = include_str!("tests/sample.md");
    insta::assert_snapshot!("plain", rendered(&[text], 60, false));
    insta::assert_snapshot!("narrow", rendered(&[text], 24, false));
    insta::assert_snapshot!("styled", styled(text));
}

#[test]
fn words_are_wrapped_and_lines_stay() {
    all(
        &[
            ("one two three four five six seven", "one two three four five six\nseven\n"),
            ("one\ntwo  \nthree", "one\ntwo\nthree\n"),
            ("a   b\t c", "a b c\n"),
            ("one\n\n\n\ntwo\n\n", "one\n\ntwo\n"),
            ("\n\n  one", "one\n"),
            ("", ""),
            ("\n \n", ""),
            // A long word is not broken: it may be an address.
            ("see https://a.example/a/very/long/path?x=1 now", "see\nhttps://a.example/a/very/long/path?x=1\nnow\n"),
            (
                "漢字かな交じり文、は空白がないので途中で折り返される。",
                "漢字かな交じり文、は空白がない\nので途中で折り返される。\n",
            ),
        ],
        plain,
    );
}

#[test]
fn headings_are_bold_or_keep_their_marks() {
    all(
        &[("# One *two*\ntext", "# One two\ntext\n"), ("### C# ##", "### C#\n"), ("#no", "#no\n"), ("#", "#\n")],
        plain,
    );
    all(&[("# One", "‹1 One›\n"), ("####### no", "####### no\n")], styled);
}

#[test]
fn lists_keep_their_numbers_and_their_gaps() {
    all(
        &[
            ("- one\n- two\n  - three\n    + four\n* five", "• one\n• two\n  ◦ three\n    • four\n• five\n"),
            ("1. one\n2. two\n\n7) three", "1. one\n2. two\n\n7) three\n"),
            // Two columns are enough, as models write it.
            ("10. one\n  - two\n\n  three", "10. one\n    • two\n\n    three\n"),
            ("- one two three four five six seven", "• one two three four five six\n  seven\n"),
            ("- one\n\n  two\n\nthree", "• one\n\n  two\n\nthree\n"),
            ("- one\ntwo", "• one\n  two\n"),
            ("-\n- one\n-", "• \n• one\n• \n"),
            ("- ```sh\n  ls\n\n  ls\n  ```\n- two", "• ```sh\n  ls\n\n  ls\n  ```\n• two\n"),
            ("- > one\n  > two", "• │ one\n  │ two\n"),
            ("- - one", "• ◦ one\n"),
            ("text\n2. no list\n1. a list\n- [ ] to do", "text\n2. no list\n1. a list\n• [ ] to do\n"),
        ],
        plain,
    );
}

#[test]
fn quotes_have_a_bar() {
    all(
        &[
            ("> one\n> two\nthree\n\nfour", "│ one\n│ two\n│ three\n\nfour\n"),
            ("> one\n>\n> > two\n> - three", "│ one\n│\n│ │ two\n│ • three\n"),
            ("> one two three four five six seven", "│ one two three four five six\n│ seven\n"),
        ],
        plain,
    );
    all(&[("> one", "‹2 │ ›one\n")], styled);
}

#[test]
fn code_is_as_it_is() {
    all(
        &[
            (
                "```rust\nfn x() {\n\t**no** `no` <no>\n}\n\n```\ntext",
                "```rust\nfn x() {\n\t**no** `no` <no>\n}\n\n```\ntext\n",
            ),
            ("~~~\n```\n~~~~", "~~~\n```\n~~~~\n"),
            ("````\n```\nno end", "````\n```\nno end\n"),
            ("    one\n\n      two\n\nthree", "    one\n\n      two\n\nthree\n"),
            ("``` not `a fence` ```", "``` not `a fence` ```\n"),
            ("  ```\n  one\n two\n  ```", "```\none\ntwo\n```\n"),
        ],
        plain,
    );
    all(&[("```x\na b\n```", "‹2 ```x›\na b\n‹2 ```›\n"), ("a `b c` d", "a ‹36 b› ‹36 c› d\n")], styled);
}

#[test]
fn tables_stand_in_columns_or_row_by_row() {
    let table = "| a | bee |\n|:--|--:|\n| `x|` | 1 |\n| 漢字 | 22 | more\n";
    all(
        &[
            ("| a | b |\n|---|:-:|\n| 1 | *two* |\n\nend", "a   b\n─  ───\n1  two\n\nend\n"),
            ("| a\\|b |\n|--|\n| c", "a|b\n───\nc\n"),
            (table, "a     bee\n────  ───  ────\n`x      `  1\n漢字   22  more\n"),
            ("| no table |\ntext", "| no table |\ntext\n"),
            ("| no table |", "| no table |\n"),
            (
                "| name | what it is |\n|-|-|\n| one | a first text, much too long |\n| two | a second one |",
                "name: one\nwhat it is: a first text, much\ntoo long\n\nname: two\nwhat it is: a second one\n",
            ),
            ("- | a | b |\n  |-|-|\n  | 1 | 2 |", "• a  b\n  ─  ─\n  1  2\n"),
        ],
        plain,
    );
    all(&[("| a |\n|-|\n| b |", "‹1 a›\n‹2 ─›\nb\n")], styled);
}

#[test]
fn rules_are_lines() {
    let rule = "─".repeat(30);
    for source in ["---", "* * *", "___", "text\n---", "text\n==="] {
        let before = source.split_once('\n').map_or(String::new(), |(text, _)| format!("{text}\n"));
        assert_eq!(plain(source), format!("{before}{rule}\n"), "{source:?}");
    }
    all(&[("--", "--\n"), ("**", "**\n"), ("a = b\n= c", "a = b\n= c\n")], plain);
}

#[test]
fn html_stays_as_it_is() {
    all(
        &[
            ("<div>\n  *no*\n</div>\n\n*yes*", "<div>\n  *no*\n</div>\n\nyes\n"),
            ("<!-- a\n\n*b* -->\n*c*", "<!-- a\n\n*b* -->\nc\n"),
            ("a <b>c</b> <br>\nd", "a <b>c</b> <br>\nd\n"),
        ],
        plain,
    );
}

#[test]
fn links_name_their_targets() {
    all(
        &[
            ("a [b c](http://d \"e\") f", "a b c (http://d \"e\") f\n"),
            ("<http://a.b> [http://a.b](http://a.b)", "http://a.b http://a.b\n"),
            (
                "![a cat](cat.png) [c] [c][1]\n\n[1]: http://x",
                "[image: a cat] (cat.png) [c]\n[c][1]\n\n[1]: http://x\n",
            ),
        ],
        plain,
    );
    all(&[("[*a* b](c)", "‹3 a› b ‹2 (c)›\n")], styled);
}

#[test]
fn emphasis_shows_where_there_are_styles() {
    all(
        &[
            ("**a b** *c* __d__ _e_ ***f***", "‹1 a› ‹1 b› ‹3 c› ‹1 d› ‹3 e› ‹1;3 f›\n"),
            ("a_b_c 2*3*4 * 5 ** 6", "a_b_c 2‹3 3›4 * 5 ** 6\n"),
            ("~~a~~ \\*b\\* &lt; &copy; &nope;", "‹9 a› *b* < © &nope;\n"),
            ("**a\nb** **c", "‹1 a›\n‹1 b› **c\n"),
            ("这是**粗体。**文字", "这是‹1 粗›‹1 体。›文字\n"),
        ],
        styled,
    );
    all(&[("**a** ~~b~~ ~c~", "a ~~b~~ ~~c~~\n")], plain);
}

#[test]
fn words_are_printed_as_they_come() {
    all(
        &[
            ("one two thr", "one two"),
            ("one **two thr", "one"),
            ("one **two** thr", "one two"),
            ("one [two](thr", "one"),
            ("- one two", "• one"),
            ("1. one `two", "1. one"),
            ("one\n", "one"),
            ("```\none\ntw", "```\none\n"),
            ("# one two", ""),
            ("a_b * c 2*3 d", "a_b * c 2*3"),
            ("漢字か", "漢字"),
            // A mark without a partner holds nothing back for ever.
            (&format!("*one {}", "two ".repeat(200)), &plain(&format!("*one {}", "two ".repeat(200)))[..]),
        ]
        .map(|(source, shown)| (source, shown.trim_end())),
        |source| so_far(source).trim_end().to_owned(),
    );
}

#[test]
fn nothing_steers_the_terminal() {
    let hostile = "a\x1b[31mb \x07 \u{9b}2J &#27;[0m &#x9b; `\x1b]52;c;AA\x07`\n\n```\x1b[2J\n\x1b\x08\r\n```\n\n\
                   | \x1b[1m |\n|--|\n| \u{85} |\n\n[\x1b](\x1b) <\x1b> \u{7f}\r\n<div>\x1b\n";
    for width in [10, 80] {
        let shown = rendered(&[hostile], width, false);
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
        assert!(shown.contains("a␛[31mb"), "{shown:?}");
    }
    assert_eq!(
        bare(&rendered(&[hostile], 80, true)).matches(char::is_control).collect::<String>().replace('\n', ""),
        ""
    );
}

#[test]
fn hostile_sizes_take_no_time() {
    // Each would take minutes if what waits were looked at again with each piece.
    for part in ["*a ", "[", "`", "``a` ", "<a ", "> ", "- ", "|", "a", "&a", "*", "\\", "```\n", "漢"] {
        let text = part.repeat(8_000 / part.len());
        let pieces: Vec<String> =
            text.chars().collect::<Vec<_>>().chunks(3).map(|piece| piece.iter().collect()).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        assert_eq!(rendered(&pieces, 40, false), rendered(&[&text], 40, false), "{part:?}");
    }
}

/// Without our own escape sequences.
fn bare(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |bare, part| bare + part.split_once('m').map_or(part, |(_, text)| text))
}

/// What opens, closes and separates.
const MARKS: [&str; 60] = [
    "*",
    "**",
    "***",
    "_",
    "__",
    "~~",
    "`",
    "``",
    "```",
    "~~~",
    "[",
    "](",
    ")",
    "]",
    "![",
    "<",
    ">",
    "</b>",
    "<div>",
    "<!--",
    "-->",
    "&amp;",
    "&",
    ";",
    "\\",
    "#",
    "## ",
    "- ",
    "* ",
    "+ ",
    "1. ",
    "2) ",
    "> ",
    ">",
    "|",
    "|-|",
    "| a |\n|-|\n",
    "---",
    "===",
    "    ",
    "  ",
    "\t",
    " ",
    " ",
    " ",
    "\n",
    "\n",
    "\n",
    "\n\n",
    "\n\n",
    "\n- ",
    "\n  - ",
    "\n> ",
    "\n```\n",
    "\n| x | y |\n|--|:-:|\n| ",
    "\r\n",
    ".",
    "é",
    "漢字",
    "🙂",
];

/// Pieces of documents, some of which open what others close.
fn fragments() -> impl Strategy<Value = Vec<String>> {
    let word = (0..1000u32).prop_map(|n| format!("w{n}w"));
    let mark = prop::sample::select(&MARKS[..]).prop_map(str::to_owned);
    prop::collection::vec(prop_oneof![word, mark], 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_cuts_change_nothing(
        parts in fragments(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        width in 5..50usize,
        colours: bool,
    ) {
        let text = parts.concat();
        let whole = rendered(&[&text], width, colours);
        let letters: Vec<String> = text.chars().map(String::from).collect();
        prop_assert_eq!(&rendered(&letters.iter().map(String::as_str).collect::<Vec<_>>(), width, colours), &whole);
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        places.retain(|place| text.is_char_boundary(*place));
        places.sort_unstable();
        let ends = places.iter().copied().chain([text.len()]);
        let pieces: Vec<&str> = ends.scan(0, |from, to| text.get(std::mem::replace(from, to)..to)).collect();
        prop_assert_eq!(&rendered(&pieces, width, colours), &whole);
    }

    #[test]
    fn no_word_is_lost(parts in fragments(), width in 5..50usize, colours: bool) {
        let shown = bare(&rendered(&[&parts.concat()], width, colours));
        for word in parts.iter().filter(|part| part.starts_with('w')) {
            let times = parts.iter().filter(|part| *part == word).count();
            prop_assert!(shown.matches(word.as_str()).count() >= times, "{} in {:?}", word, shown);
        }
        prop_assert!(!shown.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')));
    }
}
