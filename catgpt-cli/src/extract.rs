//! The code blocks of an answer, as CommonMark has them: fenced, wherever they stand.

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

use crate::args::Block;

/// What stands in the block, if the answer has it. A `cut` answer's last block counts only if its fence is closed.
pub(crate) fn extract(answer: &str, which: Block, cut: bool) -> Option<String> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, bool)> = None;
    for (event, range) in Parser::new(answer).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))) => {
                open = Some((String::new(), is_closed(&answer[range])));
            }
            Event::Text(text) => open.iter_mut().for_each(|(block, _)| block.push_str(&text)),
            Event::End(TagEnd::CodeBlock) => blocks.extend(open.take()),
            _ => {}
        }
    }
    let (block, closed) = match which {
        Block::Nth(n) => blocks.into_iter().nth(n - 1)?,
        Block::Last => blocks.pop()?,
    };
    (closed || !cut).then_some(block)
}

/// Whether a fenced block's last line is the fence that ends it. It may stand in a list or a quotation.
fn is_closed(block: &str) -> bool {
    let block = block.trim_end();
    let Some(mark) = block.chars().next().filter(|mark| matches!(mark, '`' | '~')) else { return false };
    let opening = block.chars().take_while(|c| *c == mark).count();
    let Some((_, last)) = block.split_once('\n').map(|(_, rest)| rest.rsplit_once('\n').unwrap_or(("", rest))) else {
        return false;
    };
    let fence = last.trim_start_matches(|c: char| c.is_whitespace() || c == '>');
    fence.len() >= opening && fence.chars().all(|c| c == mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "Two:\n\n```rust\nfn a() {}\n\n```\n\nand\n\n1. one\n\n   ~~~~\n   ```\n   b\n   ~~~~\n\n`no`\n\n    nor this\n";

    #[test]
    fn fenced_blocks_are_found_by_number_and_without_what_stands_around_them() {
        let found = |which| extract(ANSWER, which, false);
        assert_eq!(found(Block::Nth(1)).unwrap(), "fn a() {}\n\n");
        assert_eq!(found(Block::Nth(2)).unwrap(), "```\nb\n");
        assert_eq!(found(Block::Last), found(Block::Nth(2)));
        assert_eq!(found(Block::Nth(3)), None);
        assert_eq!(extract("> ```\n> quoted\n> ```\n", Block::Last, true).unwrap(), "quoted\n");
        assert_eq!(extract("```\n```", Block::Last, true).unwrap(), "");
    }

    #[test]
    fn what_is_no_fence_is_none() {
        for answer in ["", "prose", "``inline``", "    indented\n", "\\```\nescaped\n\\```", "``` a`b\nx\n```"] {
            let found = extract(answer, Block::Nth(1), false).filter(|block| !block.is_empty());
            assert_eq!(found, None, "{answer}");
        }
    }

    #[test]
    fn a_block_that_was_cut_off_is_not_handed_to_a_program() {
        for answer in ["```sh\nrm -rf ./build/ca", "````\n```", "```", "```sh", "- ```\n  a\n  ~~~", "> ```\n> a"] {
            assert_eq!(extract(answer, Block::Last, true), None, "{answer}");
            assert!(extract(answer, Block::Last, false).is_some(), "{answer}");
        }
        let answer = "```\na\n```\n\n```\nb";
        assert_eq!(extract(answer, Block::Nth(1), true).unwrap(), "a\n");
        assert_eq!(extract("~~~\na\n~~~~  \n", Block::Last, true).unwrap(), "a\n");
    }
}
