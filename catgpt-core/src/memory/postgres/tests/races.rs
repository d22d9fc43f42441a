//! Many at once, many times: the database decides, and it decides for one.

use std::sync::Arc;

use catgpt_scratch::Database;
use tokio::task::JoinSet;

use super::kit::{ann, end, open, say, thorough};
use crate::memory::{Begun, Memory, Postgres, Sealed};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_64_begins_wins_every_time() {
    let database = Database::new();
    let handles: [Arc<Postgres>; 2] = [Arc::new(open(&database).await), Arc::new(open(&database).await)];
    for round in 0..if thorough() { 1000 } else { 100 } {
        // A session that is there, or that all of them want to make.
        let session = if round % 2 == 0 { "old".to_owned() } else { format!("new {round}") };
        let mut tasks = JoinSet::new();
        for k in 0..64 {
            let (store, begin) = (handles[k % 2].clone(), say(&session, "me"));
            tasks.spawn(async move { (begin.turn, store.begin_turn(&ann(), begin).await.unwrap()) });
        }
        let begun = tasks.join_all().await;
        let started = begun.iter().filter(|(_, begun)| matches!(begun, Begun::Started(_)));
        let winners: Vec<_> = started.map(|(turn, _)| *turn).collect();
        assert_eq!(winners.len(), 1, "round {round}");
        let busy = begun.iter().filter(|(_, begun)| matches!(begun, Begun::Busy { turn, .. } if *turn == winners[0]));
        assert_eq!(busy.count(), 63, "round {round}");
        assert_eq!(handles[0].finish_turn(&ann(), end(winners[0], "done")).await.unwrap(), Sealed::Now);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_may_open_a_new_store_at_once() {
    let database = Arc::new(Database::new());
    for round in 0..20 {
        database.sql("DROP SCHEMA IF EXISTS catgpt CASCADE");
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let database = database.clone();
            tasks.spawn(async move { Postgres::open(&database.url()).await });
        }
        let stores: Vec<_> = tasks.join_all().await.into_iter().map(Result::unwrap).collect();
        assert_eq!(database.sql("SELECT count(*), max(version) FROM catgpt.meta"), "1|3", "round {round}");
        for store in stores {
            store.close().await.unwrap();
        }
    }
}
