//! Any text as a token. Nobody here can sign, so nothing may be proven; and what is signed for them must be read without harm
//! and within the limits of what it may say.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use identity::{Algorithm, KeyRing, KeySet, ProvingKey, Secret, TokenRules};
use libfuzzer_sys::fuzz_target;
use vocabulary::Wall;

const SECRET: &[u8] = b"a secret of thirty-two bytes, or more";
const PUBLIC: &str = include_str!("../../crates/identity/tests/keys/rsa.pub.pem");

fuzz_target!(|text: &str| {
    let secret = Secret::new(SECRET).expect("long enough");
    let public = ProvingKey::public(Some("k".into()), Algorithm::Rs256, PUBLIC).expect("a key");
    let ring = KeyRing::new(vec![secret.proving(), public], 0, TokenRules::default());
    let now = Wall(1_767_261_600_000);
    assert!(ring.verify(now, text).is_err(), "nobody signed this");

    // The same text as claims that we did sign.
    if let Ok(claims) = serde_json::from_str::<&serde_json::value::RawValue>(text) {
        let token = secret.sign(&claims).expect("signable");
        if let Ok(who) = ring.verify(now, &token) {
            let (id, name) = (who.user.person.id.as_str(), &who.user.person.name);
            assert!((1..=128).contains(&id.len()) && !id.chars().any(char::is_control));
            assert!(!name.is_empty() && who.expires > now);
        }
    }
    // As a header, as claims, and as a set of keys.
    for token in [format!("{0}.{0}.{0}", URL_SAFE_NO_PAD.encode(text)), format!("{text}.{text}.{text}")] {
        assert!(ring.verify(now, &token).is_err());
    }
    let _ = KeySet::read(text.as_bytes(), None, &Algorithm::ALL);
});
