//! Connections.

use super::*;

fn endpoint(url: &str) -> Endpoint {
    Endpoint::new(Some("sk-1".into()), base_url(url).unwrap(), Auth::Bearer)
}

#[test]
fn clones_share_their_connections_until_something_changes() {
    let one = endpoint("http://127.0.0.1:1");
    assert!(Arc::ptr_eq(&one.client, &one.clone().header("a", "b").unwrap().client));
    assert!(!Arc::ptr_eq(&one.client, &one.clone().timeouts(Timeouts::default()).client));
    one.client().unwrap();
    assert!(one.clone().client.get().is_some());
}

#[test]
fn a_client_for_a_hosted_model_installs_nothing_for_the_process() {
    endpoint("https://api.openai.com/v1").client().unwrap();
    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
}

#[test]
fn a_key_travels_where_the_protocol_has_it_and_nowhere_else() {
    for (auth, name, value) in [(Auth::Bearer, "authorization", "Bearer sk-1"), (Auth::ApiKey, "x-api-key", "sk-1")] {
        let (header, sent) = auth.header("sk-1").unwrap();
        assert_eq!((header.as_str(), sent.to_str().unwrap(), sent.is_sensitive()), (name, value, true));
        let error = auth.header("sk-1\n").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        assert!(!format!("{error:?}").contains("sk-1"));
    }
}
