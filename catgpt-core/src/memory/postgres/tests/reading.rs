//! What a read does not look at costs nothing.

use catgpt_scratch::Database;

use super::kit::{WHOLE, ann, end, id, open, opened, say};
use crate::memory::{Memory, Read};

/// How many pages of large bodies were looked at. It is counted when a connection ends.
fn pages(database: &Database) -> u64 {
    database.disconnect();
    let sql = "SELECT toast_blks_hit + toast_blks_read FROM pg_statio_user_tables
        WHERE schemaname = 'catgpt' AND relname = 'message'";
    database.sql(sql).parse().unwrap()
}

#[tokio::test]
async fn a_tree_without_bodies_leaves_them_where_they_are() {
    let database = Database::new();
    let store = open(&database).await;
    let mut random = fastrand::Rng::with_seed(7);
    let begin = say("s", &(0..1 << 20).map(|_| random.alphanumeric()).collect::<String>());
    let turn = begin.turn;
    opened(store.begin_turn(&ann(), begin).await);
    store.finish_turn(&ann(), end(turn, "hello")).await.unwrap();
    for bodies in [false, true] {
        let before = pages(&database);
        let read = Read::Tree { session: id("s"), after: 0, limit: WHOLE, bodies };
        let rows = store.read(&ann(), read).await.unwrap().rows;
        assert_eq!((rows.len(), rows[0].body.is_empty()), (2, !bodies));
        assert_eq!(pages(&database) > before, bodies);
    }
}
