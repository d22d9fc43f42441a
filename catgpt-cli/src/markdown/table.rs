//! A table, once all of it is there: in columns, or row by row if they would not fit.

use unicode_width::UnicodeWidthStr;

use super::inline;
use super::layout::{BOLD, DIM, Layout, PLAIN, Piece};
use crate::render::visible;

/// Between two columns.
const APART: &str = "  ";

type Cell = Vec<Piece>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Align {
    Left,
    Center,
    Right,
}

/// The first row is the head, the second one the line of dashes.
pub(super) fn show(rows: &[String], layout: &mut Layout) {
    let (aligns, cells) = read(rows, layout.colours);
    let width = |n: usize| cells.iter().map(|row| width(&row[n])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..aligns.len()).map(width).collect();
    let total = widths.iter().sum::<usize>() + APART.len() * widths.len().saturating_sub(1);
    match total <= layout.room() {
        true => columns(&aligns, &widths, &cells, layout),
        false => records(&cells, layout),
    }
}

/// What each cell holds. A row may have more of them than the head: nothing is left out.
fn read(rows: &[String], colours: bool) -> (Vec<Align>, Vec<Vec<Cell>>) {
    let cells: Vec<Vec<String>> = rows.iter().map(|row| split(row)).collect();
    let count = cells.iter().map(Vec::len).max().unwrap_or_default();
    let text = |row: &[String], n: usize| row.get(n).cloned().unwrap_or_default();
    let aligns = (0..count).map(|n| align(&text(&cells[1], n))).collect();
    let read = |(at, row): (usize, &Vec<String>)| {
        let base = if at == 0 { BOLD } else { PLAIN };
        let cell = |n| inline::pieces(&text(row, n), base, colours).into_iter().map(shown).filter(filled).collect();
        (0..count).map(cell).collect()
    };
    (aligns, cells.iter().enumerate().filter(|(at, _)| *at != 1).map(read).collect())
}

/// As it will be written, so that its width is right.
fn shown((style, text): Piece) -> Piece {
    (style, visible(&text).replace(['\n', '\t'], " "))
}

fn filled((_, text): &Piece) -> bool {
    !text.is_empty()
}

/// The cells of a row. A bar behind a backslash is a character.
fn split(row: &str) -> Vec<String> {
    let row = row.trim();
    let row = row.strip_prefix('|').unwrap_or(row);
    let mut cells = vec![String::new()];
    let mut chars = row.chars().peekable();
    while let Some(c) = chars.next() {
        let last = cells.len() - 1;
        match c {
            '\\' if chars.peek() == Some(&'|') => cells[last].extend(chars.next()),
            '|' => cells.push(String::new()),
            c => cells[last].push(c),
        }
    }
    cells.pop_if(|cell| cell.trim().is_empty());
    cells.iter().map(|cell| cell.trim().to_owned()).collect()
}

fn align(dashes: &str) -> Align {
    match (dashes.starts_with(':'), dashes.ends_with(':')) {
        (true, true) => Align::Center,
        (false, true) => Align::Right,
        _ => Align::Left,
    }
}

fn width(cell: &[Piece]) -> usize {
    cell.iter().map(|(_, text)| text.width()).sum()
}

fn columns(aligns: &[Align], widths: &[usize], cells: &[Vec<Cell>], layout: &mut Layout) {
    for (at, row) in cells.iter().enumerate() {
        let mut line = Vec::new();
        let filled = row.iter().rposition(|cell| !cell.is_empty()).map_or(0, |last| last + 1);
        for (n, cell) in row[..filled].iter().enumerate() {
            let free = widths[n] - width(cell);
            let before = match aligns[n] {
                Align::Left => 0,
                Align::Center => free / 2,
                Align::Right => free,
            };
            let after = if n + 1 < filled { free - before + APART.len() } else { 0 };
            line.push((PLAIN, " ".repeat(before)));
            line.extend(cell.iter().cloned());
            line.push((PLAIN, " ".repeat(after)));
        }
        layout.line(&line);
        if at == 0 {
            let lines: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
            layout.line(&[(DIM, lines.join(APART))]);
        }
    }
}

/// `head: value`, a line each.
fn records(cells: &[Vec<Cell>], layout: &mut Layout) {
    let Some((head, rows)) = cells.split_first() else { return };
    if rows.is_empty() {
        head.iter().for_each(|cell| line(cell, &[], layout));
    }
    for (at, row) in rows.iter().enumerate() {
        layout.block(at > 0);
        for (name, value) in head.iter().zip(row) {
            line(name, value, layout);
        }
    }
}

fn line(name: &[Piece], value: &[Piece], layout: &mut Layout) {
    name.iter().for_each(|(style, text)| layout.text(*style, text));
    if !name.is_empty() && !value.is_empty() {
        layout.text(BOLD, ":");
        layout.space();
    }
    value.iter().for_each(|(style, text)| layout.text(*style, text));
    layout.end_line();
}
