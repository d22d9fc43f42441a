//! The log of a reply that runs in this process: written once, read by any number of readers at their own pace.
//!
//! A reader holds an offset and nothing else, so a slow one costs the writer nothing; what it has missed comes merged.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::{Stream, StreamExt};

use crate::event::{Event, Finished, Started};
use crate::message::{Content, Offset, Part, Place};

/// One reply, growing.
#[derive(Debug)]
pub(crate) struct Log(Mutex<State>);

#[derive(Debug)]
struct State {
    started: Box<Started>,
    content: Content,
    end: Offset,
    /// Events without weight, each with the offset at which it happened.
    notes: Vec<Event>,
    finished: Option<Box<Finished>>,
    /// How many readers there have been: their numbers.
    readers: u64,
    /// One waker a reader at most, whatever tasks it was moved through; it goes with the reader.
    waiting: BTreeMap<u64, Waker>,
    /// Whoever waits for a place further on, and is not woken before.
    far: Option<(Offset, Waker)>,
}

impl Log {
    pub(crate) fn new(started: Started) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            started: Box::new(started),
            content: Content::default(),
            end: 0,
            notes: Vec::new(),
            finished: None,
            readers: 0,
            waiting: BTreeMap::new(),
            far: None,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, f: impl FnOnce(&mut State)) {
        let mut state = self.state();
        f(&mut state);
        let waiting = mem::take(&mut state.waiting);
        let (end, over) = (state.end, state.finished.is_some());
        let far = state.far.take_if(|(offset, _)| over || *offset <= end);
        drop(state);
        waiting.into_values().chain(far.map(|(_, waker)| waker)).for_each(Waker::wake);
    }

    /// Adds content. Readers hear of it with the next [`announce`](Self::announce), note or end: a wake a piece would cost
    /// more than the piece.
    pub(crate) fn push(&self, part: Part) {
        let mut state = self.state();
        state.end += part.weight();
        state.content.push(part);
    }

    /// Wakes those who wait.
    pub(crate) fn announce(&self) {
        self.change(|_| ());
    }

    /// Adds an event without weight; those who come later do not see it.
    pub(crate) fn note(&self, event: Event) {
        self.change(|state| state.notes.push(event));
    }

    /// Tells the session's title, unless the log has ended.
    pub(crate) fn title(&self, title: String) {
        self.change(|state| {
            if state.finished.is_none() {
                state.notes.push(Event::Title { title, offset: state.end });
            }
        });
    }

    /// Ends the log. Only the first end counts.
    pub(crate) fn finish(&self, finished: Finished) {
        self.change(|state| {
            state.finished.get_or_insert_with(|| Box::new(finished));
        });
    }

    /// Reads the content so far.
    pub(crate) fn content<T>(&self, f: impl FnOnce(&Content) -> T) -> T {
        f(&self.state().content)
    }

    /// The content from `from` on, and whether the log has ended: then only what is stored of it counts.
    pub(crate) fn since(&self, from: Offset) -> (Content, bool) {
        let state = self.state();
        let to = state.finished.as_ref().map_or(Offset::MAX, |finished| finished.stored);
        (state.content.between(from, to), state.finished.is_some())
    }

    /// Waits until there is content up to `offset`, or the log has ended. One at a time: the second sends the first away.
    pub(crate) async fn reached(&self, offset: Offset) {
        poll_fn(|cx| {
            let mut state = self.state();
            if state.end >= offset || state.finished.is_some() {
                return Poll::Ready(());
            }
            let before = state.far.replace((offset, cx.waker().clone()));
            // As with readers: it goes after the lock.
            drop(state);
            drop(before);
            Poll::Pending
        })
        .await;
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.state().finished.is_some()
    }

    /// A reader that has seen everything before `from`.
    pub(crate) fn read(self: &Arc<Self>, from: Offset) -> Reader {
        let mut state = self.state();
        state.readers += 1;
        let (number, notes) = (state.readers, state.notes.len());
        Reader {
            log: Arc::clone(self),
            number,
            offset: from,
            place: Place::default(),
            notes,
            greeted: from > 0,
            done: false,
        }
    }

    /// Ends when the log does.
    pub(crate) async fn ended(self: &Arc<Self>) {
        let mut reader = self.read(Offset::MAX);
        while reader.next().await.is_some() {}
    }
}

/// A place in a log.
#[derive(Debug)]
pub(crate) struct Reader {
    log: Arc<Log>,
    number: u64,
    offset: Offset,
    place: Place,
    notes: usize,
    greeted: bool,
    done: bool,
}

impl Reader {
    /// What comes next, if it is there: the greeting, then notes and content in the order in which they happened.
    fn next_in(&mut self, state: &State) -> Option<Event> {
        if !mem::replace(&mut self.greeted, true) {
            return Some(Event::Started(state.started.clone()));
        }
        let note = state.notes.get(self.notes);
        let until = match note {
            Some(note) if note.offset() <= self.offset => {
                self.notes += 1;
                return Some(note.clone());
            }
            Some(note) => note.offset(),
            None => state.end,
        };
        if let Some((part, end)) = state.content.piece(self.offset, until, &mut self.place) {
            self.offset = end;
            return Some(Event::of(part, end));
        }
        let finished = state.finished.clone()?;
        self.done = true;
        Some(Event::Finished(finished))
    }
}

impl Stream for Reader {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let this = self.get_mut();
        if this.done {
            return Poll::Ready(None);
        }
        let log = Arc::clone(&this.log);
        let mut state = log.state();
        match this.next_in(&state) {
            Some(event) => Poll::Ready(Some(event)),
            None => {
                let before = state.waiting.insert(this.number, cx.waker().clone());
                // A waker may be the last to hold a task, and the task a reader: it goes after the lock.
                drop(state);
                drop(before);
                Poll::Pending
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let waiting = self.log.state().waiting.remove(&self.number);
        drop(waiting);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use futures_util::FutureExt;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::id::{SessionId, TurnId};
    use crate::message::{Status, ToolCall};

    fn log() -> Arc<Log> {
        let (turn, session) = (TurnId::fresh(), SessionId::new("s").unwrap());
        let (persona, model) = ("plain".into(), "scripted".into());
        Log::new(Started { v: 1, turn, session, user_seq: Some(1), reply_seq: 2, persona, model, offset: 0 })
    }

    fn finished(status: Status, stored: Offset) -> Finished {
        let (finish_reason, usage, cost, pending, error) = (None, None, None, Vec::new(), None);
        Finished { status, finish_reason, usage, cost, stored, pending, error, offset: stored }
    }

    fn finish(log: &Log) {
        log.finish(finished(Status::Complete, log.content(Content::len)));
    }

    fn title(log: &Log, title: &str) {
        log.note(Event::Title { title: title.into(), offset: log.content(Content::len) });
    }

    /// What is there now.
    fn ready(reader: &mut Reader) -> Vec<Event> {
        std::iter::from_fn(|| reader.next().now_or_never().flatten()).collect()
    }

    fn short(events: &[Event]) -> Vec<String> {
        let show = |event: &Event| match event {
            Event::Text { text, .. } | Event::Reasoning { text, .. } => text.clone(),
            Event::Title { title, .. } => format!("<{title}>"),
            event => event.name().to_owned(),
        };
        events.iter().map(show).collect()
    }

    /// The content that events showed, whose offsets must follow from each other.
    fn shown(events: &[Event], from: Offset) -> Content {
        let mut at = from;
        let parts = events.iter().filter_map(|event| {
            let part = match event.clone() {
                Event::Text { text, .. } => Part::Text { text },
                Event::Reasoning { text, .. } => Part::Reasoning { text },
                Event::ToolCall { call, .. } => Part::ToolCall(call),
                Event::ToolResult { result, .. } => Part::ToolResult(result),
                Event::Part { part, .. } => part,
                _ => return None,
            };
            // Inside a character the first text begins with that character.
            let begins = event.offset() - part.weight();
            assert!(begins == at || (at == from && begins < at && at - begins < 4), "{begins} does not follow {at}");
            at = event.offset();
            Some(part)
        });
        parts.collect()
    }

    fn part() -> impl Strategy<Value = Part> {
        prop_oneof![
            6 => "[a-zé🐱 ]{1,5}".prop_map(Part::text),
            2 => "[a-zé🐱 ]{1,5}".prop_map(|text| Part::Reasoning { text }),
            1 => Just(Part::ToolCall(ToolCall { id: "1".into(), name: "time".into(), arguments: json!({}) })),
            1 => Just(Part::Citation { url: "https://example.org".into(), title: None }),
        ]
    }

    proptest! {
        #[test]
        fn every_split_read_from_every_offset_is_the_same_whole(
            parts in prop::collection::vec((part(), any::<bool>(), any::<bool>()), 0..8),
        ) {
            let whole: Content = parts.iter().map(|(part, ..)| part.clone()).collect();
            let log = log();
            // One reader for each offset, there from the beginning; some read after each piece, some only at the end.
            let mut readers: Vec<_> = (0..=whole.len() + 1).map(|from| (from, log.read(from), Vec::new())).collect();
            let mut titles = 0;
            for (part, noted, read) in parts {
                log.push(part);
                if noted {
                    titles += 1;
                    title(&log, &titles.to_string());
                }
                for (from, reader, seen) in &mut readers {
                    if read && *from % 2 == 0 {
                        seen.extend(ready(reader));
                    }
                }
            }
            finish(&log);
            for (from, reader, seen) in &mut readers {
                seen.extend(ready(reader));
                prop_assert_eq!(shown(seen, *from), whole.since(*from), "from {}", from);
                prop_assert_eq!(seen.iter().filter(|event| event.name() == "title").count(), titles);
                prop_assert_eq!(seen[0].name() == "started", *from == 0);
                prop_assert_eq!(seen.iter().filter(|event| event.name() == "finished").count(), 1);
                prop_assert_eq!(seen.last().map(Event::name), Some("finished"));
                let late = ready(&mut log.read(*from));
                prop_assert_eq!(shown(&late, *from), whole.since(*from));
                prop_assert!(late.iter().all(|event| event.name() != "title"));
                prop_assert_eq!(late[0].name() == "started", *from == 0);
            }
        }
    }

    #[test]
    fn who_lags_gets_merged_text_and_notes_where_they_happened() {
        let log = log();
        let (mut slow, mut quick) = (log.read(0), log.read(0));
        log.push(Part::text("a"));
        log.push(Part::text("b"));
        assert_eq!(short(&ready(&mut quick)), ["started", "ab"]);
        title(&log, "1");
        title(&log, "2");
        log.push(Part::text("c"));
        let mut late = log.read(0);
        log.push(Part::text("d"));
        log.push(Part::Reasoning { text: "e".into() });
        title(&log, "3");
        finish(&log);
        assert_eq!(short(&ready(&mut slow)), ["started", "ab", "<1>", "<2>", "cd", "e", "<3>", "finished"]);
        assert_eq!(short(&ready(&mut quick)), ["<1>", "<2>", "cd", "e", "<3>", "finished"]);
        assert_eq!(short(&ready(&mut late)), ["started", "abcd", "e", "<3>", "finished"]);
        assert_eq!(short(&ready(&mut log.read(3))), ["d", "e", "finished"]);
    }

    #[test]
    fn a_note_waits_for_who_began_ahead_of_it_and_splits_no_text_twice() {
        let log = log();
        let mut ahead = log.read(4);
        log.push(Part::text("ab"));
        title(&log, "1");
        assert_eq!(short(&ready(&mut ahead)), ["<1>"]);
        log.push(Part::text("cdef"));
        assert_eq!(short(&ready(&mut ahead)), ["ef"]);
    }

    #[test]
    fn only_the_first_end_counts_and_nothing_follows_it() {
        let log = log();
        let mut reader = log.read(0);
        assert!(!log.is_finished());
        log.finish(finished(Status::Cancelled, 0));
        log.finish(finished(Status::Complete, 0));
        title(&log, "after");
        assert!(log.is_finished());
        let end = Event::Finished(Box::new(finished(Status::Cancelled, 0)));
        let seen = ready(&mut reader);
        assert_eq!(seen.last(), Some(&end), "{seen:?}");
        assert_eq!(reader.next().now_or_never(), Some(None));
        assert_eq!(ready(&mut log.read(7)), [end]);
        assert_eq!(log.ended().now_or_never(), Some(()));
    }

    /// A task that counts how often it is woken.
    #[derive(Default)]
    struct Task(AtomicUsize);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Task {
        fn new() -> Arc<Self> {
            Arc::default()
        }

        fn poll(self: &Arc<Self>, reader: &mut Reader) -> Poll<Option<Event>> {
            reader.poll_next_unpin(&mut Context::from_waker(&self.clone().into()))
        }

        fn woken(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn who_waits_is_woken_by_an_announcement_a_note_and_the_end_and_by_nothing_else() {
        let (log, task) = (log(), Task::new());
        let mut reader = log.read(1);
        let wake: [fn(&Log); 3] = [Log::announce, |log| title(log, "1"), finish];
        for (round, wake) in wake.into_iter().enumerate() {
            while task.poll(&mut reader).is_ready() {}
            log.push(Part::text("ab"));
            assert_eq!(task.woken(), round, "a piece alone wakes nobody");
            wake(&log);
            assert_eq!(task.woken(), round + 1);
            wake(&log);
            assert_eq!(task.woken(), round + 1, "who does not wait is not woken");
        }
    }

    #[test]
    fn who_waits_for_a_place_is_woken_there_or_at_the_end_and_not_before() {
        let (log, woken) = (log(), Arc::new(Task::default()));
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let say = |text: &str| {
            log.push(Part::text(text));
            log.announce();
        };
        let mut place = Box::pin(log.reached(5));
        assert!(place.as_mut().poll(&mut cx).is_pending());
        say("four");
        title(&log, "A title");
        assert_eq!((woken.0.load(Ordering::Relaxed), place.as_mut().poll(&mut cx)), (0, Poll::Pending));
        say("5");
        assert_eq!((woken.0.load(Ordering::Relaxed), place.as_mut().poll(&mut cx)), (1, Poll::Ready(())));
        let mut place = Box::pin(log.reached(100));
        assert!(place.as_mut().poll(&mut cx).is_pending());
        log.finish(finished(Status::Interrupted, 4));
        assert_eq!((woken.0.load(Ordering::Relaxed), place.as_mut().poll(&mut cx)), (2, Poll::Ready(())));
        assert_eq!(log.since(2), (Content::from("ur"), true), "what is not stored does not count");
    }

    #[test]
    fn the_list_of_who_waits_does_not_grow_with_new_wakers_or_dropped_readers() {
        let log = log();
        let mut reader = log.read(1);
        let mut last = Task::new();
        for _ in 0..1000 {
            last = Task::new();
            assert!(last.poll(&mut reader).is_pending());
            let mut passing = log.read(1);
            assert!(Task::new().poll(&mut passing).is_pending());
            let mut ended = Box::pin(log.ended());
            assert!(ended.as_mut().poll(&mut Context::from_waker(&Task::new().into())).is_pending());
        }
        assert!(log.state().waiting.len() == 1, "{:?}", log.state().waiting);
        finish(&log);
        assert_eq!((last.woken(), log.state().waiting.len()), (1, 0));
    }

    #[test]
    fn a_waker_that_holds_the_reader_itself_locks_nobody_out() {
        struct Holder {
            _reader: Reader,
        }
        impl Wake for Holder {
            fn wake(self: Arc<Self>) {}
        }
        let log = log();
        let mut reader = log.read(1);
        let holder = Arc::new(Holder { _reader: log.read(1) });
        assert!(reader.poll_next_unpin(&mut Context::from_waker(&holder.into())).is_pending());
        assert!(Task::new().poll(&mut reader).is_pending());
        assert_eq!(log.state().waiting.len(), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_readers_on_many_threads_all_see_the_whole() {
        let log = log();
        let text = "Hé🐱! ".repeat(200);
        let readers: Vec<_> = (0..16).map(|from| tokio::spawn(log.read(from).collect::<Vec<_>>())).collect();
        let ended = tokio::spawn({
            let log = log.clone();
            async move { log.ended().await }
        });
        for piece in text.split_inclusive('🐱') {
            log.push(Part::text(piece));
            log.announce();
            tokio::task::yield_now().await;
        }
        finish(&log);
        for (from, reader) in (0..).zip(readers) {
            let events = reader.await.unwrap();
            assert_eq!(shown(&events, from), Content::from(&*text).since(from));
            assert_eq!(events.last().map(Event::name), Some("finished"));
        }
        ended.await.unwrap();
        assert!(log.state().waiting.is_empty());
    }
}
