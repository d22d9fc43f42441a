//! Who somebody is without an account: a cookie for what is theirs, an address for how much they may ask.

use core::net::{IpAddr, Ipv6Addr};

use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::id::{Owner, hex};

const YEAR: u32 = 365 * 86_400;

/// Somebody who is known by a cookie of 128 random bits that no script can read.
///
/// ```
/// use catgpt_core::wire::guest::Guest;
///
/// let new = Guest::known("chat", "", false)?;
/// let cookie = new.set_cookie.split(';').next().unwrap_or_default();
/// assert_eq!(Guest::known("chat", cookie, false)?.owner, new.owner);
/// # Ok::<(), catgpt_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Guest {
    /// Whose sessions they are. It holds a hash of the cookie: who reads the store, or a backup of it, cannot act as its
    /// owners.
    pub owner: Owner,
    /// Whether they came without a cookie: then the response has to set it.
    pub fresh: bool,
    /// The header `Set-Cookie`, which keeps the cookie for a year. Set it also when a page is opened again.
    pub set_cookie: String,
}

impl Guest {
    /// Who sends these cookies (the header `Cookie`, empty if there is none), by the one of this name; somebody new if it
    /// is not there, or none of ours. `secure`: the page came by HTTPS.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn known(name: &str, cookies: &str, secure: bool) -> Result<Self> {
        let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        let shown = pairs.find_map(|(named, value)| Some(value).filter(|value| named == name && is_ours(value)));
        let cookie = shown.map_or_else(random, |value| Ok(value.to_owned()))?;
        let hash = hex(&Sha256::digest(&cookie)[..16]);
        let secure = if secure { "; Secure" } else { "" };
        Ok(Self {
            owner: Owner::new(format!("guest:{hash}"))?,
            fresh: shown.is_none(),
            set_cookie: format!("{name}={cookie}; Path=/; Max-Age={YEAR}; HttpOnly; SameSite=Lax{secure}"),
        })
    }
}

/// By what a limit of an address counts, as a server or a proxy tells it. An IPv6 customer has a whole /64, so that counts as
/// one; an IPv4 address in the form of IPv6 is that address; what is no address counts as it is.
pub fn address_key(told: &str) -> String {
    match told.trim().parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        Ok(address) => address.to_string(),
        Err(_) if told.trim().is_empty() => "unknown".into(),
        Err(_) => told.trim().into(),
    }
}

fn is_ours(value: &str) -> bool {
    value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn random() -> Result<String> {
    let mut bits = [0; 16];
    let none = |error| Error::new(ErrorKind::Unexpected, "the system has no randomness").caused_by(error);
    getrandom::fill(&mut bits).map_err(none)?;
    Ok(hex(&bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_an_owner_and_none_is_another_each_time() {
        let [a, b] = [(); 2].map(|()| Guest::known("chat", "", false).unwrap());
        assert!(a.fresh && b.fresh && a.owner != b.owner);
        let (cookie, rest) = a.set_cookie.split_once(';').unwrap();
        assert_eq!(rest, " Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax");
        let again = Guest::known("chat", &format!("x=1; {cookie} ;y"), true).unwrap();
        assert_eq!((&again.owner, again.fresh), (&a.owner, false));
        assert_eq!(again.set_cookie, format!("{}; Secure", a.set_cookie));
        let value = cookie.strip_prefix("chat=").unwrap();
        assert!(is_ours(value) && !a.owner.as_str().contains(value));
    }

    #[test]
    fn what_is_no_cookie_of_ours_is_nobody() {
        let value = "0123456789abcdef0123456789abcdef";
        assert!(!Guest::known("chat", &format!("chat={value}"), false).unwrap().fresh);
        let others = [
            format!("other={value}"),
            format!("chat={}", &value[1..]),
            format!("chat={value}0"),
            format!("chat={}g", &value[1..]),
            "chat".into(),
            "chat=; chat".into(),
            "🐈=🐈;;=".into(),
        ];
        for cookies in others {
            assert!(Guest::known("chat", &cookies, false).unwrap().fresh, "{cookies}");
        }
        // Of two, the one that is ours.
        assert!(!Guest::known("chat", &format!("chat=x; chat={value}"), false).unwrap().fresh);
    }

    #[test]
    fn an_address_counts_as_its_customer() {
        let table = [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::/64"),
            ("2001:db8:0:0:ffff::1", "2001:db8::/64"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("::1", "::/64"),
            (" 192.0.2.1 ", "192.0.2.1"),
            ("a", "a"),
            ("", "unknown"),
        ];
        for (address, key) in table {
            assert_eq!(address_key(address), key);
        }
    }
}
