//! `catgpt usage`: what answers used, and what they cost.

use std::io::{self, BufWriter, IsTerminal, Write};

use catgpt_core::memory::{GroupBy, Spent};
use catgpt_core::{Engine, Offline, Result, UsageQuery, User};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use unicode_width::UnicodeWidthStr;

use super::block_on;
use crate::args::{By, Common, Usage};
use crate::config::{Config, Store};
use crate::exit::{Exit, Failure};
use crate::notes::Notes;
use crate::refs;
use crate::render::{money, visible};

pub(crate) fn usage(options: &Usage, common: &Common) -> Result<Exit, Failure> {
    let notes = Notes::new(common);
    let config = Config::load(common)?;
    let store = Store::choose(&config)?;
    block_on(async {
        let engine = Engine::builder().model(Offline::new()).memory(store.open(&config, notes).await?).build();
        let spent = ask(&config.user(&engine)?, options).await?;
        let mut out = BufWriter::new(io::stdout());
        if spent.iter().all(|spent| spent.calls == 0) {
            notes.say("nothing was used yet");
        } else if options.json {
            for line in &spent {
                serde_json::to_writer(&mut out, line).map_err(io::Error::from)?;
                out.write_all(b"\n")?;
            }
        } else {
            table(&options.by, &spent, io::stdout().is_terminal(), &mut out)?;
        }
        out.flush()?;
        engine.close(std::time::Duration::ZERO).await?;
        Ok(Exit::Ok)
    })
}

async fn ask(user: &User, options: &Usage) -> Result<Vec<Spent>, Failure> {
    let session = match &options.session {
        Some(chat) => Some(refs::find(user, chat).await?.id().clone()),
        None => None,
    };
    let group = |by: &By| match by {
        By::Day => GroupBy::Day,
        By::Model => GroupBy::Model,
        By::Chat => GroupBy::Session,
        By::Purpose => GroupBy::Purpose,
    };
    let by = options.by.iter().map(group).collect();
    Ok(user.usage(UsageQuery { from_ms: options.since, to_ms: None, session, by }).await?)
}

/// Columns for people on a terminal, with a line that names them; else for programs, with tabs.
fn table(by: &[By], spent: &[Spent], terminal: bool, out: &mut impl Write) -> io::Result<()> {
    let rows = spent.iter().map(|spent| row(by, spent, terminal));
    if !terminal {
        return rows.into_iter().try_for_each(|row| writeln!(out, "{}", row.join("\t")));
    }
    let named = by.iter().map(|by| format!("{by:?}").to_lowercase());
    let numbers = ["turns", "tokens in", "out", "cost"].map(str::to_owned);
    let rows: Vec<Vec<String>> = std::iter::once(named.chain(numbers).collect()).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let widths: Vec<_> = (0..rows[0].len()).map(width).collect();
    for row in &rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            let pad = " ".repeat(width - cell.width());
            if column < by.len() { format!("{cell}{pad}") } else { format!("{pad}{cell}") }
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// The groups, how many turns, tokens in and out, the cost. On a terminal `~` says that tokens are a guess.
fn row(by: &[By], spent: &Spent, terminal: bool) -> Vec<String> {
    let group = |by: &By| match by {
        By::Day => spent.day_ms.map(date),
        By::Model => spent.model.as_deref().map(|model| visible(model).into_owned()),
        By::Chat => spent.session.as_ref().map(|id| match terminal {
            true => refs::short(id.as_str()).to_owned(),
            false => id.to_string(),
        }),
        By::Purpose => spent.purpose.map(|purpose| format!("{purpose:?}").to_lowercase()),
    };
    let about = if terminal && spent.usage.estimated { "~" } else { "" };
    let tokens = |tokens: u64| format!("{about}{tokens}");
    let numbers = [
        spent.calls.to_string(),
        tokens(spent.usage.input_tokens),
        tokens(spent.usage.output_tokens),
        money(spent.cost),
    ];
    by.iter().map(|by| group(by).unwrap_or_default()).chain(numbers).collect()
}

fn date(ms: i64) -> String {
    Timestamp::from_millisecond(ms).unwrap_or_default().to_zoned(TimeZone::UTC).date().to_string()
}

/// The beginning of a day in UTC: a date, or so many days ago, today counted (`7d`).
pub(crate) fn day(text: &str) -> Result<i64, &'static str> {
    let wrong = "a day is expected: 2026-01-31, or 7d for the last seven days";
    let day = match text.strip_suffix('d') {
        Some(days) => {
            let days: i32 = days.parse().ok().filter(|days| (1..=100_000).contains(days)).ok_or(wrong)?;
            let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
            today.checked_sub((days - 1).days()).map_err(|_| wrong)?
        }
        None => text.parse::<Date>().map_err(|_| wrong)?,
    };
    let begin = day.to_zoned(TimeZone::UTC).map_err(|_| wrong)?;
    Ok(begin.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates_or_counted_back() {
        assert_eq!(day("1970-01-02"), Ok(86_400_000));
        assert_eq!(day("3d").unwrap() - day("1d").unwrap(), -2 * 86_400_000);
        for wrong in ["", "d", "0d", "-1d", "yesterday", "2026-02-30", "999999999d"] {
            assert!(day(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_table_is_read_by_columns() {
        let used = catgpt_core::Usage { input_tokens: 1_200, output_tokens: 30, estimated: true, ..Default::default() };
        let line = |model: &str, cost| Spent {
            day_ms: Some(86_400_000),
            model: Some(model.into()),
            calls: 2,
            usage: used,
            cost,
            ..Spent::default()
        };
        let shown = |terminal| {
            let mut out = Vec::new();
            table(&[By::Day, By::Model], &[line("a", 0), line("longer", 1_500_000)], terminal, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let people = "\
day         model   turns  tokens in  out      cost
1970-01-02  a           2      ~1200  ~30  0.000000
1970-01-02  longer      2      ~1200  ~30  1.500000
";
        assert_eq!(shown(true), people);
        assert_eq!(shown(false), "1970-01-02\ta\t2\t1200\t30\t0.000000\n1970-01-02\tlonger\t2\t1200\t30\t1.500000\n");
    }
}
