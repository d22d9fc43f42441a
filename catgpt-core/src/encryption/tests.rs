//! What is sealed is opened where it stands, and nowhere else.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use proptest::prelude::*;

use super::*;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Owner, SessionId, TurnId};
use crate::message::Role;

fn ann() -> Owner {
    Owner::new("ann").unwrap()
}

fn local(lines: &str) -> Encryption {
    Encryption::new(LocalKeys::parse(lines).unwrap())
}

async fn opened(keys: &Encryption, owner: &Owner, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = sealed.to_vec();
    keys.open(owner, place, &mut bytes).await.map(|()| bytes)
}

#[track_caller]
fn refused(opened: &Result<Vec<u8>>) {
    let error = opened.as_ref().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Store | ErrorKind::Unsupported) && !error.is_retryable(), "{error:?}");
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}

#[tokio::test]
async fn a_record_is_opened_in_its_place_alone() {
    let line = LocalKeys::fresh_line("k").unwrap();
    let (writer, reader) = (local(&line), local(&line));
    let (one, two) = (SessionId::new("one").unwrap(), SessionId::new("two").unwrap());
    let (turn, other) = (TurnId::fresh(), TurnId::fresh());
    let places = [
        Place::Title(&one),
        Place::Title(&two),
        Place::Pin(&one),
        Place::Meta(&one),
        Place::Message(turn, Role::User),
        Place::Message(turn, Role::Assistant),
        Place::Message(other, Role::User),
        Place::Imported(&one, 1, Role::User),
        Place::Imported(&one, 2, Role::User),
        Place::Imported(&one, 1, Role::Assistant),
        Place::Summary(&one, None),
        Place::Summary(&one, Some(2)),
        Place::Chunk(turn, 0, 5),
        Place::Chunk(turn, 5, 9),
        Place::Chunk(other, 0, 5),
        Place::Frame(turn, 5, false),
        Place::Frame(turn, 5, true),
    ];
    let bob = Owner::new("bob").unwrap();
    for (at, place) in places.into_iter().enumerate() {
        let sealed = writer.seal(&ann(), place, b"my secret").await.unwrap();
        assert!(is_sealed(&sealed) && !sealed.windows(6).any(|bytes| bytes == b"secret"));
        for (to, other) in places.into_iter().enumerate() {
            match opened(&reader, &ann(), other, &sealed).await {
                Ok(bytes) => assert_eq!((at, &bytes[..]), (to, &b"my secret"[..]), "{place:?} as {other:?}"),
                error => refused(&error),
            }
        }
        refused(&opened(&reader, &bob, place, &sealed).await);
    }
}

#[tokio::test]
async fn no_byte_of_it_can_be_changed_and_none_taken_away() {
    let line = LocalKeys::fresh_line("key").unwrap();
    let keys = local(&line);
    let (place, owner) = (Place::Message(TurnId::fresh(), Role::User), ann());
    let guest = Owner::new("guest").unwrap();
    for former in [None, Some(&guest)] {
        let sealed = keys.seal_from(&owner, place, former, b"my secret").await.unwrap();
        // A first byte that is not the envelope's makes it plaintext, which a sealed store refuses.
        let strict = local(&line).refuse_plaintext();
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                changed[at] ^= 1 << bit;
                refused(&opened(&strict, &owner, place, &changed).await);
            }
            refused(&opened(&strict, &owner, place, &sealed[..at]).await);
        }
        refused(&opened(&strict, &owner, place, &[&sealed[..], b"x"].concat()).await);
        assert_eq!(opened(&strict, &owner, place, &sealed).await.unwrap(), b"my secret");
        assert_eq!(keys.former(&sealed).as_ref(), former);
    }
}

#[tokio::test]
async fn plaintext_is_read_as_it_is_or_refused() {
    let keys = local(&LocalKeys::fresh_line("k").unwrap());
    let place = Place::Message(TurnId::fresh(), Role::User);
    for plain in [&b"{\"v\":1}"[..], b"", b"old"] {
        assert_eq!(opened(&keys, &ann(), place, plain).await.unwrap(), plain);
        refused(&opened(&keys.clone().refuse_plaintext(), &ann(), place, plain).await);
    }
}

#[tokio::test]
async fn older_keys_open_and_only_the_first_one_seals() {
    let (old, new) = (LocalKeys::fresh_line("old").unwrap(), LocalKeys::fresh_line("new").unwrap());
    let place = Place::Message(TurnId::fresh(), Role::User);
    let sealed = local(&old).seal(&ann(), place, b"my secret").await.unwrap();
    let both = local(&format!("{new}{old}"));
    assert_eq!(opened(&both, &ann(), place, &sealed).await.unwrap(), b"my secret");
    let anew = both.seal(&ann(), place, b"my secret").await.unwrap();
    assert!(both.is_under("new", &anew) && both.is_under("old", &sealed));
    assert_eq!(opened(&local(&new), &ann(), place, &anew).await.unwrap(), b"my secret");
    // A key that is missing, and another one of its name.
    let missing = opened(&local(&new), &ann(), place, &sealed).await;
    assert_eq!(missing.as_ref().unwrap_err().context("key"), Some("old"));
    refused(&missing);
    refused(&opened(&local(&LocalKeys::fresh_line("old").unwrap()), &ann(), place, &sealed).await);
    // What idempotency keys stand for is known by both, and by nobody without a key.
    let (a, b) = (local(&old).hashes(&ann(), &[1; 32]).await.unwrap(), both.hashes(&ann(), &[1; 32]).await.unwrap());
    assert_eq!((a.len(), b.len(), a[0]), (1, 2, b[1]));
    assert_ne!(a, local(&old).hashes(&Owner::new("bob").unwrap(), &[1; 32]).await.unwrap());
}

#[test]
fn keys_are_read_strictly_and_never_shown() {
    let line = LocalKeys::fresh_line("k").unwrap();
    let key = line.trim().strip_prefix("k ").unwrap();
    for bad in ["", "# nothing", "k", &line[..20], &format!("{line}{line}"), &format!("k {key} more"), &line[2..]] {
        let error = LocalKeys::parse(bad).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(!format!("{error:?}").contains(&key[..8]), "{error:?}");
    }
    let slip = format!("k {}", &key[..40]);
    assert!(!format!("{:?}", LocalKeys::open(&slip).unwrap_err()).contains(&key[..8]));
    assert!(!format!("{:?} {:?}", LocalKeys::open(&line).unwrap(), DataKey::fresh().unwrap()).contains(&key[..8]));
}

#[cfg(unix)]
#[test]
fn a_file_of_keys_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my keys");
    std::fs::write(&path, format!("# of today\n\n{}", LocalKeys::fresh_line("k").unwrap())).unwrap();
    let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    for (open, fine) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
        mode(open);
        assert_eq!(LocalKeys::open(path.to_str().unwrap()).is_ok(), fine, "{open:o}");
    }
    assert!(LocalKeys::open("no such file").unwrap_err().message().contains("cannot be read"));
}

/// A key for each owner, as a key management service would keep them.
#[derive(Debug, Default)]
struct Each {
    keys: Mutex<HashMap<Owner, Option<String>>>,
    unwrapped: AtomicUsize,
    wrapped: AtomicUsize,
}

impl Each {
    fn of(&self, owner: &Owner) -> Result<LocalKeys> {
        let mut keys = self.keys.lock().unwrap();
        let line = keys.entry(owner.clone()).or_insert_with(|| Some(LocalKeys::fresh_line("own").unwrap()));
        let gone = || Error::new(ErrorKind::Store, "the key of this owner was destroyed").with_retryable(false);
        LocalKeys::parse(line.as_ref().ok_or_else(gone)?)
    }
}

#[async_trait]
impl KeyProvider for &'static Each {
    async fn current(&self, owner: &Owner) -> Result<String> {
        self.of(owner)?.current(owner).await
    }
    async fn wrap(&self, owner: &Owner, key: &DataKey) -> Result<Wrapped> {
        self.wrapped.fetch_add(1, Ordering::Relaxed);
        self.of(owner)?.wrap(owner, key).await
    }
    async fn unwrap(&self, owner: &Owner, wrapped: &Wrapped) -> Result<DataKey> {
        self.unwrapped.fetch_add(1, Ordering::Relaxed);
        self.of(owner)?.unwrap(owner, wrapped).await
    }
    async fn secrets(&self, owner: &Owner) -> Result<Vec<DataKey>> {
        self.of(owner)?.secrets(owner).await
    }
    async fn forget(&self, owner: &Owner) -> Result<()> {
        self.keys.lock().unwrap().insert(owner.clone(), None);
        Ok(())
    }
}

fn each() -> &'static Each {
    Box::leak(Box::default())
}

#[tokio::test]
async fn who_destroys_the_key_of_one_owner_destroys_what_he_said_in_every_copy() {
    let provider = each();
    let (keys, bob) = (Encryption::new(provider), Owner::new("bob").unwrap());
    let place = Place::Message(TurnId::fresh(), Role::User);
    // What a backup would hold.
    let hers = keys.seal(&ann(), place, b"my secret").await.unwrap();
    let his = keys.seal(&bob, place, b"his secret").await.unwrap();
    keys.forget(&ann()).await.unwrap();
    for keys in [&keys, &Encryption::new(provider)] {
        refused(&opened(keys, &ann(), place, &hers).await);
        assert!(keys.seal(&ann(), place, b"more").await.is_err());
        assert_eq!(opened(keys, &bob, place, &his).await.unwrap(), b"his secret");
    }
}

#[tokio::test(start_paused = true)]
async fn another_process_seals_with_a_destroyed_key_for_an_hour_at_most() {
    let provider = each();
    let (here, there) = (Encryption::new(provider), Encryption::new(provider));
    let (place, bob) = (Place::Message(TurnId::fresh(), Role::User), Owner::new("bob").unwrap());
    for owner in [&ann(), &bob] {
        there.seal(owner, place, b"my secret").await.unwrap();
    }
    here.forget(&ann()).await.unwrap();
    tokio::time::advance(std::time::Duration::from_secs(60 * 60)).await;
    assert_eq!(there.seal(&ann(), place, b"more").await.unwrap_err().kind(), ErrorKind::Store);
    // The key of one who is still there was looked at again, and is the same.
    for _ in 0..2 {
        there.seal(&bob, place, b"more").await.unwrap();
    }
    assert_eq!((provider.wrapped.load(Ordering::Relaxed), provider.unwrapped.load(Ordering::Relaxed)), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_provider_is_asked_rarely() {
    let provider = each();
    let (writer, reader) = (Encryption::new(provider), Encryption::new(provider));
    let place = Place::Message(TurnId::fresh(), Role::User);
    let mut all = Vec::new();
    for _ in 0..100 {
        all.push(writer.seal(&ann(), place, b"my secret").await.unwrap());
    }
    for sealed in &all {
        opened(&reader, &ann(), place, sealed).await.unwrap();
    }
    // Whoever has read one of today writes with its key.
    reader.seal(&ann(), place, b"more").await.unwrap();
    let asked = || (provider.wrapped.load(Ordering::Relaxed), provider.unwrapped.load(Ordering::Relaxed));
    assert_eq!(asked(), (1, 1));
    // What was destroyed meanwhile is asked for again within the hour, and new keys are made each day.
    tokio::time::advance(std::time::Duration::from_secs(60 * 60)).await;
    opened(&reader, &ann(), place, &all[0]).await.unwrap();
    assert_eq!(asked(), (1, 2));
    tokio::time::advance(std::time::Duration::from_secs(23 * 60 * 60)).await;
    writer.seal(&ann(), place, b"more").await.unwrap();
    assert_eq!(asked(), (2, 2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_bytes_there_are_nothing_breaks(bytes in prop::collection::vec(any::<u8>(), 0..200), sealed in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let keys = local(&LocalKeys::fresh_line("k").unwrap()).refuse_plaintext();
        let bytes = if sealed { [&[0xC7, 1][..], &bytes].concat() } else { bytes };
        let place = Place::Message(TurnId::fresh(), Role::User);
        prop_assert!(runtime.block_on(opened(&keys, &ann(), place, &bytes)).is_err());
    }
}
