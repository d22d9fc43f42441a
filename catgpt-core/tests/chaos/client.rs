//! A client: it sends, watches, stops, reads and goes away as it pleases, and writes down what it was answered.

use std::sync::Arc;
use std::time::Duration;

use catgpt_core::{ErrorKind, Event, TurnId};
use fastrand::Rng;
use tokio::time::{sleep, timeout_at};

use super::history::{Answer, End, Record, Watch};
use super::model::Speech;
use super::replica::{Manners, Request, Response};
use super::world::{Events, HANG, Known, REPLICAS, World};

/// How often a message is sent again whose fate is unknown.
const TRIES: u32 = 6;

pub struct Client {
    world: Arc<World>,
    rng: Rng,
    number: usize,
    sent: u32,
}

impl Client {
    pub fn new(world: Arc<World>, rng: Rng, number: usize) -> Self {
        Self { world, rng, number, sent: 0 }
    }

    /// Goes on until the run is over and its last call is answered.
    pub async fn run(mut self) {
        while !self.world.is_over() {
            match self.rng.u8(..20) {
                0..10 => self.send().await,
                10..16 => self.attach().await,
                16..18 => self.stop().await,
                _ => self.read().await,
            }
            self.rest(200).await;
        }
    }

    async fn rest(&mut self, most: u64) {
        sleep(Duration::from_millis(self.rng.u64(..most))).await;
    }

    /// One that listens, if there is one, as behind any proxy; whether it answers is another matter.
    fn some_replica(&mut self) -> usize {
        let first = self.rng.usize(..REPLICAS);
        let mut others = (first..first + REPLICAS).map(|number| number % REPLICAS);
        others.find(|number| self.world.slots[*number].port().is_some()).unwrap_or(first)
    }

    async fn send(&mut self) {
        self.sent += 1;
        let (session, key) = (self.world.some_session(&mut self.rng), format!("{}-{}", self.number, self.sent));
        let text = format!("{key} asks in {session}");
        let busy = match self.rng.u8(..10) {
            0..5 => Manners::Reject,
            5..8 => Manners::Queue,
            _ => Manners::Interrupt,
        };
        for _ in 0..TRIES {
            let (replica, began) = (self.some_replica(), self.world.now());
            let request = Request::Send { session: session.clone(), key: key.clone(), text: text.clone(), busy };
            let (answer, events) = self.world.call(replica, &request).await;
            let answer = answer.map(|response| match response {
                Response::Turn(turn) => turn,
                other => panic!("{other:?}"),
            });
            let (key, session, text, ended) = (key.clone(), session.clone(), text.clone(), self.world.now());
            let again = match &answer {
                Answer::Ok(turn) => {
                    self.world.learn(Known { turn: *turn, session: session.clone(), question: text.clone() });
                    self.follow(*turn, replica, 0, events.unwrap()).await;
                    // Sometimes it did not hear the answer.
                    self.rng.u8(..10) == 0
                }
                Answer::Unknown => true,
                _ => self.rng.u8(..10) == 0,
            };
            self.world.record(Record::Send { key, session, text, replica, began, ended, answer });
            if !again || self.world.is_over() {
                return;
            }
            self.rest(500).await;
        }
    }

    async fn attach(&mut self) {
        let Some(Known { turn, session, question }) = self.world.some_turn(&mut self.rng) else { return };
        let whole = Speech::to(&question).text().len() as u64;
        let from = if self.rng.bool() { 0 } else { self.rng.u64(..=whole) };
        let (replica, began) = (self.some_replica(), self.world.now());
        match self.world.call(replica, &Request::Attach { session, turn, from }).await {
            (Answer::Ok(_), Some(events)) => self.follow(turn, replica, from, events).await,
            (answer, _) => {
                let (text, pieces, ended) = (String::new(), vec![], self.world.now());
                let end = answer.map(|_| End::Left);
                self.world.record(Record::Watch(Watch {
                    turn,
                    replica,
                    from,
                    began,
                    ended,
                    text,
                    pieces,
                    whole: true,
                    end,
                }));
            }
        }
    }

    /// Watches to the end, or goes away before.
    async fn follow(&mut self, turn: TurnId, replica: usize, from: u64, mut events: Events) {
        let leaves = self.rng.bool().then(|| self.rng.usize(..30));
        let (began, deadline) = (self.world.now(), tokio::time::Instant::now() + HANG);
        let (text, pieces, end) = (String::new(), vec![], Answer::Ok(End::Left));
        let mut watch = Watch { turn, replica, from, began, ended: 0, text, pieces, whole: true, end };
        while leaves != Some(watch.pieces.len()) {
            match timeout_at(deadline, events.next_line()).await {
                Ok(Ok(Some(line))) => match serde_json::from_str(&line) {
                    Ok(event) => {
                        if self.see(&mut watch, event) {
                            break;
                        }
                    }
                    // Cut short, by the end of the replica.
                    Err(_) => watch.end = Answer::Unknown,
                },
                Ok(_) => {
                    watch.end = Answer::Unknown;
                    break;
                }
                Err(_) => {
                    watch.end = Answer::Hung;
                    break;
                }
            }
        }
        watch.ended = self.world.now();
        self.world.record(Record::Watch(watch));
    }

    /// Takes one event; true for the last one.
    fn see(&self, watch: &mut Watch, event: Event) -> bool {
        match event {
            Event::Text { text, offset } => {
                let begin = offset.checked_sub(text.len() as u64);
                watch.whole &= watch.pieces.last().is_none_or(|(_, before)| begin == Some(*before));
                watch.text.push_str(&text);
                watch.pieces.push((self.world.now(), offset));
                false
            }
            Event::Finished(finished) => {
                let error = finished.error.map(|error| error.kind);
                watch.end = Answer::Ok(End::Finished { status: finished.status, stored: finished.stored, error });
                true
            }
            _ => false,
        }
    }

    async fn stop(&mut self) {
        let Some(Known { turn, session, .. }) = self.world.some_turn(&mut self.rng) else { return };
        let (replica, began) = (self.some_replica(), self.world.now());
        let (answer, _) = self.world.call(replica, &Request::Stop { session, turn }).await;
        let (answer, ended) = (answer.map(|_| ()), self.world.now());
        self.world.record(Record::Stop { turn, replica, began, ended, answer });
    }

    async fn read(&mut self) {
        let (session, replica, began) = (self.world.some_session(&mut self.rng), self.some_replica(), self.world.now());
        let (answer, _) = self.world.call(replica, &Request::Read { session: session.clone() }).await;
        let answer = match answer {
            // Nobody has said anything there, or so it says.
            Answer::Wrong(ErrorKind::NotFound) => Answer::Ok(vec![]),
            answer => answer.map(|response| match response {
                Response::Turns(turns) => turns,
                other => panic!("{other:?}"),
            }),
        };
        self.world.record(Record::Read { session, replica, began, ended: self.world.now(), answer });
    }
}
