//! The contract of [`Memory`], directly and behind PgBouncer in transaction mode.

use std::sync::Arc;

use async_trait::async_trait;
use catgpt_scratch::Database;

use crate::memory::conformance::{Harness, Lacks, Store};
use crate::memory::{Memory, Postgres};

/// How to get to the database.
#[derive(Clone, Copy)]
pub(in crate::memory) enum Way {
    Direct,
    Pooled,
}

struct Base {
    database: Database,
    way: Way,
    first: Arc<Postgres>,
}

async fn open(database: &Database, way: Way) -> Arc<Postgres> {
    let url = match way {
        Way::Direct => database.url(),
        Way::Pooled => database.pooled_url(),
    };
    Arc::new(Postgres::open(&url).await.unwrap())
}

#[async_trait]
impl Harness for Way {
    async fn open(&self) -> Box<dyn Store> {
        let database = Database::new();
        let first = open(&database, *self).await;
        Box::new(Base { database, way: *self, first })
    }
}

#[async_trait]
impl Store for Base {
    fn memory(&self) -> Arc<dyn Memory> {
        self.first.clone()
    }

    async fn second(&self) -> Result<Arc<dyn Memory>, Lacks> {
        Ok(open(&self.database, self.way).await)
    }

    async fn reopen(&self) -> Result<Arc<dyn Memory>, Lacks> {
        self.first.close().await.unwrap();
        self.second().await
    }

    async fn crash(&self) -> Result<Arc<dyn Memory>, Lacks> {
        // What a killed process leaves: connections that nobody ended.
        self.database.disconnect();
        self.second().await
    }

    async fn set_full(&self, full: bool) -> Result<(), Lacks> {
        // What the server says when a table cannot grow.
        self.database.sql(if full {
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
             CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON catgpt.message FOR EACH ROW
               WHEN (length(NEW.body) > 100000) EXECUTE FUNCTION full_disk();
             CREATE TRIGGER full_disk BEFORE INSERT ON catgpt.chunk FOR EACH ROW
               WHEN (length(NEW.body) > 100000) EXECUTE FUNCTION full_disk();
             CREATE TRIGGER full_disk BEFORE UPDATE ON catgpt.session FOR EACH ROW
               WHEN (length(NEW.pin) > 100000) EXECUTE FUNCTION full_disk();"
        } else {
            "DROP FUNCTION full_disk CASCADE"
        });
        Ok(())
    }

    async fn set_read_only(&self, read_only: bool) -> Result<(), Lacks> {
        let value = if read_only { "on" } else { "off" };
        let name = self.database.sql("SELECT current_database()");
        self.database.sql(&format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}"));
        self.database.disconnect();
        Ok(())
    }
}

mod direct {
    use super::Way;

    crate::conformance_tests!(Way::Direct);
}

mod pooled {
    use super::Way;

    crate::conformance_tests!(Way::Pooled);
}
