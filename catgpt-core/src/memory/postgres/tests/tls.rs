//! Encryption: who is believed, who is not, and that a password cannot be passed on by whoever sits between.

use std::path::PathBuf;

use catgpt_scratch::{AUTHORITY, Database};
use tempfile::TempDir;

use super::kit::{ann, opened, say};
use super::proxy::Proxy;
use crate::error::{ErrorKind, Result};
use crate::memory::{Memory, Postgres};

/// A file with the certificate of who vouches for the server.
fn authority() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, AUTHORITY).unwrap();
    (folder, path)
}

/// Opens the store and asks the server whether it is encrypted.
async fn open(database: &Database, options: &str) -> Result<bool> {
    let url = database.url().replace("sslmode=disable", options);
    let store = Postgres::open(&url).await?;
    opened(store.begin_turn(&ann(), say("s", "hi")).await);
    let sql = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE ssl AND application_name = 'catgpt' AND datname = current_database()";
    let encrypted = database.sql(sql) != "0";
    database.sql("DROP SCHEMA catgpt CASCADE");
    store.close().await?;
    Ok(encrypted)
}

#[tokio::test]
async fn each_sslmode_does_what_it_says() {
    let (database, (_folder, authority)) = (Database::new(), authority());
    assert!(!open(&database, "sslmode=disable").await.unwrap());
    assert!(open(&database, "sslmode=prefer").await.unwrap());
    assert!(open(&database, "").await.unwrap());
    for mode in ["require", "verify-ca", "verify-full"] {
        assert!(open(&database, &format!("sslmode={mode}&sslrootcert={}", authority.display())).await.unwrap());
        // Nobody in the system's list knows the server.
        let error = open(&database, &format!("sslmode={mode}")).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Store && !error.is_retryable(), "{mode}: {error:?}");
    }
    let missing = open(&database, "sslrootcert=/not/there.pem").await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::InvalidInput, "{missing:?}");
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused() {
    let (database, (_folder, authority)) = (Database::new(), authority());
    let options = format!("sslmode=verify-full&sslrootcert={}", authority.display());
    for (host, good) in [("127.0.0.1", true), ("127.0.0.2", false)] {
        let proxy = Proxy::at(host, &database).await;
        let opened = Postgres::open(&proxy.url(&database).replace("sslmode=disable", &options)).await;
        // A wire that fails would be worth another try.
        assert_eq!(opened.map_err(|error| error.is_retryable()).err(), (!good).then_some(false), "{host}");
    }
}

#[tokio::test]
async fn a_password_is_bound_to_the_certificate() {
    let (database, (_folder, authority)) = (Database::new(), authority());
    database.sql("DROP ROLE IF EXISTS dog; CREATE ROLE dog SUPERUSER LOGIN PASSWORD 'hunter2'");
    let url = |password: &str, options: &str| {
        let options = format!("sslmode=verify-full&sslrootcert={}{options}", authority.display());
        database.url().replace("//cat@", &format!("//dog:{password}@")).replace("sslmode=disable", &options)
    };
    for options in ["", "&channel_binding=require", "&channel_binding=disable"] {
        Postgres::open(&url("hunter2", options)).await.unwrap();
    }
    let error = Postgres::open(&url("hunter3", "")).await.unwrap_err();
    assert_eq!((error.context("sqlstate"), error.is_retryable()), (Some("28P01"), false), "{error:?}");
    assert!(!format!("{error:?}").contains("hunter"), "{error:?}");
    let plain = Postgres::open(&database.url().replace("//cat@", "//dog:hunter2@")).await.unwrap_err();
    assert_eq!(plain.context("sqlstate"), Some("28000"), "{plain:?}");
    database.disconnect();
    database.sql("DROP OWNED BY dog CASCADE; DROP ROLE dog");
}
