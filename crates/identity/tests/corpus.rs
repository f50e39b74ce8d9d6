//! Tokens that must prove nothing, and the few that must.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use identity::{Algorithm, KeyRing, KeySet, ProvingKey, TokenRules, Unverified};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, Header, crypto};
use serde_json::{Value, json};
use vocabulary::{Revocation, UserId, Wall};

const NOW: Wall = Wall(1_767_261_600_000);
const SECRET: &[u8] = b"a secret of thirty-two bytes, or more";
const GOOD: &str = r#"{"sub":"7","exp":9999999999}"#;

const RSA: (&str, &str) = (include_str!("keys/rsa.pem"), include_str!("keys/rsa.pub.pem"));
const P256: (&str, &str) = (include_str!("keys/p256.pem"), include_str!("keys/p256.pub.pem"));
const P384: (&str, &str) = (include_str!("keys/p384.pem"), include_str!("keys/p384.pub.pem"));
const ED25519: (&str, &str) = (include_str!("keys/ed25519.pem"), include_str!("keys/ed25519.pub.pem"));

fn ring(keys: Vec<ProvingKey>) -> KeyRing {
    KeyRing::new(keys, 1, TokenRules::default())
}

fn secret(id: Option<&str>, bytes: &[u8]) -> ProvingKey {
    ProvingKey::secret(id.map(str::to_owned), Algorithm::Hs256, bytes).expect("long enough")
}

fn public(id: Option<&str>, algorithm: Algorithm, pem: &str) -> ProvingKey {
    ProvingKey::public(id.map(str::to_owned), algorithm, pem).expect("a key of the corpus")
}

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Signed with a key and an algorithm, whatever its header says.
fn signed(header: &str, claims: &str, key: &EncodingKey, algorithm: jsonwebtoken::Algorithm) -> String {
    let text = format!("{}.{}", base64(header.as_bytes()), base64(claims.as_bytes()));
    let signature = crypto::sign(text.as_bytes(), key, algorithm).expect("signable");
    format!("{text}.{signature}")
}

fn hs256(header: &str, claims: &str) -> String {
    signed(header, claims, &EncodingKey::from_secret(SECRET), jsonwebtoken::Algorithm::HS256)
}

/// Every algorithm there is, with the key that signs for it and the one that proves.
fn all_kinds() -> Vec<(Algorithm, jsonwebtoken::Algorithm, EncodingKey, ProvingKey)> {
    use jsonwebtoken::Algorithm as Theirs;
    let table = [
        (Algorithm::Hs256, Theirs::HS256),
        (Algorithm::Hs384, Theirs::HS384),
        (Algorithm::Hs512, Theirs::HS512),
        (Algorithm::Rs256, Theirs::RS256),
        (Algorithm::Rs384, Theirs::RS384),
        (Algorithm::Rs512, Theirs::RS512),
        (Algorithm::Ps256, Theirs::PS256),
        (Algorithm::Ps384, Theirs::PS384),
        (Algorithm::Ps512, Theirs::PS512),
        (Algorithm::Es256, Theirs::ES256),
        (Algorithm::Es384, Theirs::ES384),
        (Algorithm::EdDsa, Theirs::EdDSA),
    ];
    let pair = |algorithm: Algorithm| match algorithm.name().split_at(2).0 {
        "HS" => (
            EncodingKey::from_secret(SECRET),
            ProvingKey::secret(None, algorithm, SECRET).expect("long enough"),
        ),
        "ES" => {
            let (private, pem) = if algorithm == Algorithm::Es256 { P256 } else { P384 };
            (EncodingKey::from_ec_pem(private.as_bytes()).expect("a key"), public(None, algorithm, pem))
        }
        "Ed" => (
            EncodingKey::from_ed_pem(ED25519.0.as_bytes()).expect("a key"),
            public(None, algorithm, ED25519.1),
        ),
        _ => (EncodingKey::from_rsa_pem(RSA.0.as_bytes()).expect("a key"), public(None, algorithm, RSA.1)),
    };
    table
        .into_iter()
        .map(|(ours, theirs)| {
            let (signs, proves) = pair(ours);
            (ours, theirs, signs, proves)
        })
        .collect()
}

/// Each of twelve against each of twelve: who signed with what, and who proves.
#[test]
fn a_key_proves_tokens_of_its_own_algorithm_and_of_no_other() {
    let kinds = all_kinds();
    for (signed_with, theirs, signs, _) in &kinds {
        let header = format!(r#"{{"alg":"{}","typ":"JWT"}}"#, signed_with.name());
        let token = signed(&header, GOOD, signs, *theirs);
        for (proven_with, _, _, proves) in &kinds {
            let proven = ring(vec![proves.clone()]).verify(NOW, &token);
            assert_eq!(proven.is_ok(), signed_with == proven_with, "{signed_with:?} by {proven_with:?}");
        }
    }
}

/// The public key is no secret: a token signed with its text as one proves nothing (RFC 8725, 2.1).
#[test]
fn an_rsa_key_taken_for_a_secret_proves_nothing() {
    let keys = ring(vec![public(None, Algorithm::Rs256, RSA.1)]);
    for text in [RSA.1, RSA.1.trim()] {
        let key = EncodingKey::from_secret(text.as_bytes());
        for header in [r#"{"alg":"HS256"}"#, r#"{"alg":"RS256"}"#] {
            let token = signed(header, GOOD, &key, jsonwebtoken::Algorithm::HS256);
            assert!(keys.verify(NOW, &token).is_err(), "{header}");
        }
    }
}

#[test]
fn tokens_that_are_forged_malformed_or_ambiguous_prove_nothing() {
    let keys = ring(vec![secret(None, SECRET)]);
    let plain = r#"{"alg":"HS256","typ":"JWT"}"#;
    assert!(keys.verify(NOW, &hs256(plain, GOOD)).is_ok(), "the corpus begins with a good one");
    let unsigned = |algorithm: &str| {
        let header = format!(r#"{{"alg":"{algorithm}"}}"#);
        format!("{}.{}.", base64(header.as_bytes()), base64(GOOD.as_bytes()))
    };
    let good = hs256(plain, GOOD);
    let (text, signature) = good.rsplit_once('.').expect("three parts");
    let other = EncodingKey::from_secret(b"another secret of more than 32 bytes");
    let mut corpus: Vec<String> = ["none", "None", "nOnE", "NONE", "", "HS256 "].map(unsigned).into();
    corpus.extend([
        // Headers.
        hs256(r#"{"alg":"HS512"}"#, GOOD),
        hs256(r#"{"alg":"hs256"}"#, GOOD),
        hs256(r#"{"alg":["HS256"]}"#, GOOD),
        hs256(r#"{"typ":"JWT"}"#, GOOD),
        hs256(r#"{"alg":"none","alg":"HS256"}"#, GOOD),
        hs256(r#"{"alg":"HS256","crit":["exp"]}"#, GOOD),
        hs256(r#"{"alg":"HS256","crit":[]}"#, GOOD),
        hs256(r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#, GOOD),
        hs256(r#"{"alg":"HS256","typ":"JWE"}"#, GOOD),
        hs256(r#"{"alg":"HS256","kid":7}"#, GOOD),
        hs256("[]", GOOD),
        hs256("", GOOD),
        // Claims: a table of their own is in `claims`.
        hs256(plain, r#"{"sub":"7"}"#),
        hs256(plain, r#"{"sub":"7","exp":1}"#),
        hs256(plain, r#"{"sub":"7","exp":"9999999999"}"#),
        hs256(plain, r#"{"sub":"7","exp":9999999999.5}"#),
        hs256(plain, r#"{"sub":"7","exp":-9999999999}"#),
        hs256(plain, r#"{"sub":"7","exp":9223372036854775808}"#),
        hs256(plain, r#"{"sub":"7","exp":1e400}"#),
        hs256(plain, r#"{"sub":"7","exp":9999999999,"exp":1}"#),
        hs256(plain, r#"{"sub":"8","exp":9999999999,"sub":"7"}"#),
        hs256(plain, r#"{"sub":"7","exp":9999999999,"nbf":9999999998}"#),
        hs256(plain, r#"{"sub":"7","exp":9999999999,"iat":9999999998}"#),
        hs256(plain, r#"{"exp":9999999999}"#),
        hs256(plain, "null"),
        hs256(plain, "7"),
        hs256(plain, "{\"sub\":\"7\",\"exp\":9999999999} x"),
        // Signatures.
        signed(plain, GOOD, &other, jsonwebtoken::Algorithm::HS256),
        signed(plain, GOOD, &EncodingKey::from_secret(SECRET), jsonwebtoken::Algorithm::HS512),
        format!("{text}."),
        text.to_owned(),
        format!("{text}.{}", &signature[1..]),
        format!("{text}.{signature}="),
        format!("{text}.{signature}."),
        format!(".{text}.{signature}"),
        format!("{good}.{signature}"),
        good.replace('.', ".."),
        good.to_uppercase(),
        format!(" {good}"),
        format!("{good}\n"),
        // No tokens.
        String::new(),
        ".".into(),
        "..".into(),
        "a.b.c".into(),
        "\u{0}.\u{0}.\u{0}".into(),
        "é.é.é".into(),
        "x".repeat(8193),
        format!("{}.{}", ".".repeat(4000), "x"),
    ]);
    assert!(corpus.len() > 40);
    for token in &corpus {
        assert!(keys.verify(NOW, token).is_err(), "{token}");
    }
}

/// What a header says of where its key is found is never followed: there is nothing here that could.
#[test]
fn a_token_cannot_bring_its_own_key() {
    let keys = ring(vec![secret(None, SECRET)]);
    let jwk = json!({"kty": "oct", "k": base64(b"another secret of more than 32 bytes")});
    let other = EncodingKey::from_secret(b"another secret of more than 32 bytes");
    for extra in
        [json!({"jwk": jwk}), json!({"jku": "http://127.0.0.1/keys"}), json!({"x5u": "http://127.0.0.1/"})]
    {
        let mut header = json!({"alg": "HS256"});
        header.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        let token = signed(&header.to_string(), GOOD, &other, jsonwebtoken::Algorithm::HS256);
        assert_eq!(keys.verify(NOW, &token).err(), Some(Unverified::Signature), "{header}");
    }
}

fn jwk(key: &str, algorithm: jsonwebtoken::Algorithm, id: &str) -> Value {
    let key = if algorithm == jsonwebtoken::Algorithm::RS256 {
        EncodingKey::from_rsa_pem(key.as_bytes())
    } else {
        EncodingKey::from_ec_pem(key.as_bytes())
    };
    let mut jwk =
        serde_json::to_value(Jwk::from_encoding_key(&key.expect("a key"), algorithm).expect("a jwk"))
            .expect("writable");
    jwk["kid"] = id.into();
    jwk
}

#[test]
fn a_set_gives_the_keys_that_its_owner_allows_and_passes_over_the_rest() {
    let (rsa, curve) =
        (jwk(RSA.0, jsonwebtoken::Algorithm::RS256, "r"), jwk(P256.0, jsonwebtoken::Algorithm::ES256, "e"));
    let mut encrypts = rsa.clone();
    encrypts["use"] = "enc".into();
    let secret = json!({"kty": "oct", "k": base64(SECRET), "alg": "HS256"});
    let set = json!({"keys": [rsa, curve, encrypts, secret, {"kty": "new"}, 7]}).to_string();
    for (allowed, keys) in [
        (&[Algorithm::Rs256, Algorithm::Es256][..], Some(2)),
        (&[Algorithm::Es256], Some(1)),
        (&[Algorithm::Hs256], None),
        (&[Algorithm::EdDsa], None),
    ] {
        let read = KeySet::read(set.as_bytes(), None, allowed);
        assert_eq!(read.ok().map(|set| set.len()), keys, "{allowed:?}");
    }
    for text in ["", "{}", "[]", r#"{"keys":{}}"#, r#"{"keys":[]}"#] {
        assert!(KeySet::read(text.as_bytes(), None, &[Algorithm::Rs256]).is_err(), "{text}");
    }
    let many = json!({"keys": vec![7; 65]}).to_string();
    assert!(KeySet::read(many.as_bytes(), None, &[Algorithm::Rs256]).is_err());
}

/// The issuer is a part of a key's name, whatever a set says of it.
#[test]
fn a_key_of_a_set_proves_tokens_of_its_issuer_alone() {
    let set = json!({"keys": [jwk(RSA.0, jsonwebtoken::Algorithm::RS256, "k")]}).to_string();
    let of = |issuer| KeySet::read(set.as_bytes(), Some(issuer), &[Algorithm::Rs256]).expect("a set");
    let (a, b) = (of("https://a.example"), of("https://b.example"));
    let key = EncodingKey::from_rsa_pem(RSA.0.as_bytes()).expect("a key");
    // Alone; and beside another who publishes the very key, before and behind it.
    for sets in [vec![a.clone()], vec![b.clone(), a.clone()], vec![a.clone(), b.clone()]] {
        let mut keys = ring(Vec::new());
        keys.sets = sets.iter().map(|set| Some(set.clone().into())).collect();
        for issuer in ["https://a.example", "https://b.example", ""] {
            let claims = json!({"sub": "7", "exp": 9_999_999_999u64, "iss": issuer}).to_string();
            let token = signed(r#"{"alg":"RS256","kid":"k"}"#, &claims, &key, jsonwebtoken::Algorithm::RS256);
            let good = issuer == "https://a.example" || (issuer == "https://b.example" && sets.len() > 1);
            assert_eq!(keys.verify(NOW, &token).is_ok(), good, "{issuer} of {}", sets.len());
        }
    }
}

#[test]
fn while_keys_are_rotated_both_are_good_and_an_unknown_one_is_told_apart() {
    let keys =
        ring(vec![secret(Some("old"), SECRET), secret(Some("new"), b"another secret of more than 32 bytes")]);
    let token = |id: &str, bytes: &[u8]| {
        let header = Header { kid: Some(id.to_owned()), ..Header::default() };
        jsonwebtoken::encode(
            &header,
            &json!({"sub": "7", "exp": 9_999_999_999u64}),
            &EncodingKey::from_secret(bytes),
        )
        .expect("signable")
    };
    let other: &[u8] = b"another secret of more than 32 bytes";
    for (id, bytes, refused) in [
        ("old", SECRET, None),
        ("new", other, None),
        ("new", SECRET, Some(Unverified::Signature)),
        ("newer", SECRET, Some(Unverified::UnknownKey)),
    ] {
        assert_eq!(keys.verify(NOW, &token(id, bytes)).err(), refused, "{id}");
    }
    // A key without a name hides nothing: what it does not prove may be proven by one that is yet to come.
    let nameless_first = ring(vec![secret(None, SECRET)]);
    assert_eq!(nameless_first.verify(NOW, &token("newer", other)).err(), Some(Unverified::UnknownKey));
    // Without a name every key is tried.
    let nameless = hs256(r#"{"alg":"HS256"}"#, GOOD);
    assert!(keys.verify(NOW, &nameless).is_ok());
}

#[test]
fn a_revoked_token_is_refused_and_one_that_was_made_later_is_not() {
    let keys = ring(vec![secret(None, SECRET)]);
    let token = |claims: &str| hs256(r#"{"alg":"HS256"}"#, claims);
    let (old, new, timeless) = (
        token(r#"{"sub":"7","exp":9999999999,"iat":1767261000,"jti":"t-1"}"#),
        token(r#"{"sub":"7","exp":9999999999,"iat":1767261600}"#),
        token(r#"{"sub":"7","exp":9999999999}"#),
    );
    let user = |id: &str, until| Revocation::User { id: UserId::new(id), until: Wall(until) };
    for (revocation, left) in [
        (user("7", 1_767_261_300_000), [false, true, false]),
        (user("8", 1_767_261_300_000), [true, true, true]),
        (Revocation::Token("t-1".into()), [false, true, true]),
    ] {
        let keys = keys.revoked(NOW, &revocation);
        let good = [&old, &new, &timeless].map(|token| keys.verify(NOW, token).is_ok());
        assert_eq!(good, left, "{revocation:?}");
    }
}

#[test]
fn a_key_must_be_of_its_algorithms_kind() {
    for (algorithm, pem) in [
        (Algorithm::Rs256, P256.1),
        (Algorithm::Rs256, "no key"),
        (Algorithm::Es256, RSA.1),
        (Algorithm::EdDsa, RSA.1),
        (Algorithm::Hs256, RSA.1),
    ] {
        assert!(ProvingKey::public(None, algorithm, pem).is_err(), "{algorithm:?}");
    }
    assert!(ProvingKey::secret(None, Algorithm::Hs256, b"short").is_err());
    assert!(ProvingKey::secret(None, Algorithm::Rs256, SECRET).is_err());
}
