//! The whole way from what was written to what is in force, as tables.

use super::*;

fn written<'a>(file: Option<&'a str>, variables: &[(&str, &str)]) -> Written<'a> {
    let variables = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Written { variables, file: file.map(|text| ("kulkul.toml", text)), ..Written::default() }
}

fn sound(written: &Written<'_>) -> Config {
    let mut faults = Faults::default();
    let config = settle(written, &mut faults);
    config.unwrap_or_else(|| panic!("{faults}"))
}

fn faults(written: &Written<'_>) -> Vec<String> {
    let mut faults = Faults::default();
    let config = settle(written, &mut faults);
    assert_eq!(config.is_none(), !faults.is_empty());
    faults.iter().map(ToString::to_string).collect()
}

/// A file, and what is said of it; each fault must be there, and no other.
fn check(rows: &[(&str, &[&str])]) {
    for (file, expected) in rows {
        let found = faults(&written(Some(file), &[]));
        assert_eq!(found.len(), expected.len(), "{file}\n{found:#?}");
        for (found, expected) in found.iter().zip(*expected) {
            assert!(found.contains(expected), "{found}\ndoes not say\n{expected}");
            assert!(!found.contains("pass@"), "a password is shown: {found}");
        }
    }
}

const SECRET: &str = "a secret of thirty-two bytes or more";

#[test]
fn the_stronger_source_wins_and_is_named() {
    let file = Some("[websocket]\nping_period = \"5s\"\n");
    let second = ("WS_PING_PERIOD", "6s");
    let first = ("KULKUL_WEBSOCKET__PING_PERIOD", "7s");
    for (file, variables, value, place) in [
        (None, &[][..], "54s", "default"),
        (file, &[], "5s", "kulkul.toml: line 2"),
        (file, &[second], "6s", "WS_PING_PERIOD"),
        (file, &[first, second], "7s", "KULKUL_WEBSOCKET__PING_PERIOD"),
    ] {
        let config = sound(&written(file, variables));
        let all = config.settings();
        let (_, setting) = all.iter().find(|(key, _)| key == "websocket.ping_period").expect("a row");
        assert_eq!((setting.shown().as_str(), setting.place.to_string().as_str()), (value, place));
    }
    let flags = vec![("listen", "--listen", "127.0.0.1:2".to_owned())];
    let both =
        Written { flags, ..written(Some("listen = \"127.0.0.1:1\""), &[("KULKUL_LISTEN", "127.0.0.1:3")]) };
    assert_eq!(sound(&both).typed.listen.port(), 2);
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_known_one() {
    check(&[
        (
            "\n\nlistn = \"127.0.0.1:1\"",
            &["kulkul.toml: line 3: unknown key `listn`; did you mean `listen`?"],
        ),
        ("colour = 1", &["line 1: unknown key `colour`"]),
        ("[limit]\nburst = 1", &["line 1: unknown key `limit`; did you mean `limits`?"]),
        ("[limits]\nbrust = 1", &["line 2: unknown key `limits.brust`; did you mean `limits.burst`?"]),
        ("allowed_origins = []", &["did you mean `websocket.allowed_origins`?"]),
        ("[[mounts]]\npaht = \"/a\"", &["line 2: unknown key `paht`; did you mean `path`?"]),
        ("limits = 3", &["line 1: `limits` is a table: write [limits]"]),
        ("[mounts]\npath = \"/ws\"", &["line 1: `mounts` is a list of tables: write [[mounts]]"]),
    ]);
}

#[test]
fn a_wrong_value_is_told_with_what_is_allowed() {
    check(&[
        ("[limits]\nburst = 0", &["line 2: `limits.burst` = 0: expected a count from 1 to 1000000"]),
        ("[limits]\nburst = \"40\"", &["line 2: `limits.burst` = \"40\": expected a count"]),
        (
            "[limits]\nburst = 99999999999999999999",
            &["line 2: `limits.burst` = 99999999999999999999: expected a count"],
        ),
        ("[limits]\nmemory = \"200%\"", &["`limits.memory` = \"200%\": expected 1% to 95%"]),
        ("[limits]\nexempt_addresses = [\"10.0.0.1/8\"]", &["\"10.0.0.1/8\" does not fit"]),
        (
            "[websocket]\nread_timeout = 60",
            &["`websocket.read_timeout` = 60: expected a span from 200ms to 1h"],
        ),
        (
            "[websocket]\nallowed_origins = [\"https://a.test/\"]",
            &["\"https://a.test/\" does not fit; expected a list, each an origin"],
        ),
        ("[websocket]\nallowed_origins = \"*\"", &["expected a list, each an origin"]),
        ("listen = \"here\"", &["expected an address and port"]),
        ("[websocket]\nallowed_origins = [\"https://ana:pass@a.test\"]", &["(hidden)@a.test\" does not fit"]),
        ("[log]\nformat = \"xml\"", &["expected one of auto, json, text"]),
        ("[log]\nlevel = \"inof\"", &["expected error, warn, info"]),
        ("[log]\nlevel = \"warn,node=loud\"", &["expected error, warn, info"]),
        (
            "engine = \"postgres://ana:pass@host\"",
            &["`engine` = \"postgres://(hidden)@host\": expected memory"],
        ),
        (
            "[[auth.jwks]]\nurl = \"https://ana:pass@host/\"\nalgorithms = [\"RS256\"]",
            &["\"https://(hidden)@host/\": expected an http or https URL"],
        ),
        ("[auth]\nleeway = \"61s\"", &["expected a span from 0s to 1m"]),
        ("secret_file = \"/nonexistent/secret\"", &["it cannot be read: No such file"]),
    ]);
}

#[test]
fn everything_that_is_wrong_is_told_at_once_and_in_order() {
    let file = "shards = 0\nlistn = 1\n[websocket]\nping_period = \"soon\"\n";
    let found = faults(&written(Some(file), &[("KULKUL_LISTN", "x"), ("WS_MAX_MESSAGE_SIZE", "big")]));
    let lines = ["line 1", "line 2", "line 4", "KULKUL_LISTN: unknown variable; did you mean KULKUL_LISTEN?"];
    assert_eq!(found.len(), 5, "{found:#?}");
    for (found, expected) in found.iter().zip(lines) {
        assert!(found.contains(expected), "{found}");
    }
    assert!(
        found[4].starts_with("WS_MAX_MESSAGE_SIZE: `websocket.max_message_size` = \"big\""),
        "{}",
        found[4]
    );
}

#[test]
fn settings_that_contradict_one_another_are_refused_with_both_places() {
    let key = "[[auth.keys]]\nalgorithm = \"RS256\"\n";
    check(&[
        (
            "[websocket]\nping_period = \"9s\"\nread_timeout = \"9s\"",
            &[
                "line 2: `websocket.ping_period` = 9s (kulkul.toml: line 2) must be below `websocket.read_timeout` = 9s (kulkul.toml: line 3)",
            ],
        ),
        ("[websocket]\nread_timeout = \"30s\"", &["line 2: `websocket.ping_period` = 54s (default)"]),
        (
            "operator_listen = \"127.0.0.1:8080\"",
            &[
                "line 1: `operator_listen` = 127.0.0.1:8080: `listen` = 127.0.0.1:8080 is there already (default)",
            ],
        ),
        (
            "listen = \"[::]:80\"\noperator_listen = \"127.0.0.1:80\"",
            &["line 2: `operator_listen` = 127.0.0.1:80: `listen` = [::]:80 is there already"],
        ),
        ("listen = \"0.0.0.0:80\"\noperator_listen = \"127.0.0.1:81\"", &[]),
        ("[auth]\nuser_claims = []", &["line 2: `auth.user_claims` is empty"]),
        (
            &format!("{key}public_key = \"-----BEGIN\""),
            &["line 3: `public_key`: this is no public key for RS256 in PEM"],
        ),
        (
            &format!("{key}public_key_file = \"/proc/version\""),
            &["line 3: `public_key_file`: this is no public key for RS256 in PEM"],
        ),
        ("[tls]\nkey = \"k.pem\"", &["line 2: `tls.key` without `tls.certificate`"]),
        (
            "[[auth.keys]]\nid = \"a\"",
            &["[[auth.keys]] needs `algorithm`", "needs one of secret, secret_file"],
        ),
        (&format!("{key}secret = \"{SECRET}\""), &["line 3: `secret` does not go with algorithm RS256"]),
        (
            "[[auth.keys]]\nalgorithm = \"HS256\"\npublic_key = \"k\"",
            &["line 3: `public_key` does not go with algorithm HS256: it needs secret or secret_file"],
        ),
        (
            &format!("{key}public_key = \"k\"\npublic_key_file = \"/proc/version\""),
            &["`public_key`: this is no", "only one of", "`public_key_file`: this is no"],
        ),
        ("[[auth.jwks]]\nalgorithms = [\"RS256\"]", &["line 1: [[auth.jwks]] needs one of file, url"]),
        (
            "[[auth.jwks]]\nurl = \"https://a.test/k\"\nalgorithms = [\"HS256\"]",
            &["line 3: `algorithms` with HS256"],
        ),
        (
            &"[[auth.jwks]]\nfile = \"k\"\nalgorithms = [\"RS256\"]\n".repeat(17),
            &["line 1: [[auth.jwks]] 17 times: leave some out, 16 are the most"],
        ),
        ("[[auth.jwks]]\nfile = \"k\"\nalgorithms = []", &["`algorithms` is empty"]),
        (
            "[[mounts]]\npath = \"/a\"\n[[mounts]]\npath = \"/a\"",
            &["line 4: `path` = \"/a\" is mounted already (kulkul.toml: line 1)"],
        ),
        ("[[mounts]]\npath = \"/health\"", &["the server itself answers there"]),
        ("[[mounts]]\npath = \"/start.js\"", &["the server itself answers there"]),
        ("[[mounts]]\npath = \"/health/ready\"", &["the server itself answers there"]),
        ("[[mounts]]\npath = \"/api/rides/ws\"", &["the server itself answers there"]),
        ("[[mounts]]\npath = \"/internal/ws\"", &["the server itself answers there"]),
        ("[[mounts]]\npath = \"/drivers/{user}\"", &["the server itself answers there"]),
        ("[[mounts]]\npath = \"/{user}/{user}\"", &["at most one each of {user}"]),
        (
            "[[mounts]]\npath = \"/s/{session}\"",
            &["line 2: `path` = \"/s/{session}\": {session} and {type} are for"],
        ),
        ("[[mounts]]\nprotocol = \"livechat\"", &["`protocol` = \"livechat\" needs a path with {session}"]),
        (
            "[[mounts]]\npath = \"/{session}\"\nprotocol = \"livechat\"\napp = \"chat\"",
            &["line 4: `app` = \"chat\": livechat clients are in sessions of support"],
        ),
        (
            "[[mounts]]\nframing = \"events\"\nauth = \"in-band\"",
            &[
                "line 2: `framing` = \"events\" is for protocol = \"match\"",
                "line 2: `framing` = \"events\" needs a path with {match}",
                "line 2: `framing` = \"events\" needs auth",
            ],
        ),
        (
            "[[mounts]]\npath = \"/{match}\"\nprotocol = \"match\"\nframing = \"events\"",
            &["line 4: `framing` = \"events\" is for viewers: say `viewers` = true"],
        ),
        ("[[mounts]]\npath = \"/m/{match}\"", &["{match} is for protocol = \"match\""]),
        ("[[mounts]]\nviewers = true", &["line 2: `viewers` = true is for protocol = \"match\""]),
        (
            "[[mounts]]\nprotocol = \"match\"\napp = \"chat\"",
            &["line 3: `app` = \"chat\": protocol = \"match\" is of matches in scores"],
        ),
        (
            "[[mounts]]\nprotocol = \"ride\"\nauth = \"in-band\"",
            &["line 3: `protocol` = \"ride\" needs auth = \"token\", not \"in-band\""],
        ),
        (
            "[[mounts]]\nprotocol = \"ride\"\napp = \"chat\"",
            &["line 3: `app` = \"chat\": protocol = \"ride\" is of people in rides"],
        ),
        ("[[mounts]]\nprotocol = \"ride\"\none_per_user = false", &[]),
        (
            "[[mounts]]\nauth = \"optional\"\none_per_user = true",
            &["line 3: `one_per_user` = true, but with auth = \"optional\" every connection without a token"],
        ),
        ("[[mounts]]\npath = \"ws\"", &["expected a path such as /ws"]),
        ("[[mounts]]\nauth = \"trust-path\"", &["line 2: `auth` = \"trust-path\", but there is no {user}"]),
        ("[[mounts]]\npath = \"/api/v1/channels\"", &["the server itself answers there"]),
        (
            "[[mounts]]\nprotocol = \"hub\"\nauth = \"in-band\"",
            &["line 3: `protocol` = \"hub\" needs auth = \"token\""],
        ),
        ("[[mounts]]\nprotocol = \"echo\"", &["line 2: `protocol` = \"echo\" is for conformance suites"]),
        (
            "listen = \"0.0.0.0:1\"\n[[mounts]]\npath = \"/ws/{user}\"\nauth = \"trust-path\"",
            &["line 4: `auth` = \"trust-path\": whoever reaches 0.0.0.0:1"],
        ),
        (
            "listen = \"0.0.0.0:1\"\naccept_insecure = true\n[[mounts]]\npath = \"/ws/{user}\"\nauth = \"trust-path\"",
            &[],
        ),
    ]);
}

#[test]
fn a_secret_is_in_no_fault_and_in_no_list() {
    let short = "too-short-for-a-secret";
    for file in [
        format!("secret = \"{short}\""),
        format!("secret = [\"{short}\"]"),
        format!("secret = \"{short}"),
        format!("secret = {short}"),
        format!("secret = \"{short}\" \"{short}\""),
        format!("secret = \"{short}\"\nsecret = \"{short}\""),
        format!("secret \"{short}\""),
        format!("secrte = \"{short}\""),
        format!("secret = \"\"\"\n{short}\n\"\"\""),
        format!("secret = \"\\{short}\""),
        format!("[[auth.keys]]\nalgorithm = \"HS256\"\nsecret = \"{short}\""),
        format!("[secret]\nvalue = \"{short}\""),
    ] {
        let found = faults(&written(Some(&file), &[]));
        assert!(
            !found.is_empty() && !found.iter().any(|fault| fault.contains("too-short")),
            "{file}\n{found:#?}"
        );
    }
    let found = faults(&written(None, &[("KULKUL_SECRET", short)]));
    assert!(
        found[0].contains("KULKUL_SECRET: `secret` = (hidden)") && !found[0].contains(short),
        "{found:#?}"
    );
    let config = sound(&written(Some(&format!("secret = \"{SECRET}\"")), &[]));
    let shown: Vec<String> = config.settings().iter().map(|(_, setting)| setting.shown()).collect();
    assert!(shown.iter().any(|value| value == "(hidden)") && !shown.iter().any(|value| value == SECRET));
}

#[test]
fn variables_of_others_are_passed_over_and_typing_errors_are_not() {
    for (name, text, says) in [
        ("KULKUL_BLESS", "1", None),
        ("KULKUL_LOG", "warn,node=debug", None),
        ("KULKUL_SERVICE_HOST", "10.0.0.1", None),
        ("KULKUL_PORT", "tcp://10.0.0.1:8080", None),
        ("KULKUL_PORT_8080_TCP_ADDR", "10.0.0.1", None),
        ("WS_SOMETHING_ELSE", "1", None),
        ("KULKUL_PORT", "8080", Some("KULKUL_PORT: unknown variable")),
        ("KULKUL_LIMITS_BURST", "1", Some("did you mean KULKUL_LIMITS__BURST?")),
        ("KULKUL_MOUNTS", "/ws", Some("[[mounts]] is written in a file only")),
        ("KULKUL_LIMITS__BURST", "many", Some("KULKUL_LIMITS__BURST: `limits.burst` = \"many\"")),
    ] {
        let found = faults(&written(None, &[(name, text)]));
        assert_eq!(found.len(), usize::from(says.is_some()), "{name}: {found:#?}");
        assert!(says.is_none_or(|says| found[0].contains(says)), "{found:#?}");
    }
    let config = sound(&written(None, &[("WS_ALLOWED_ORIGINS", "https://a.test, https://b.test")]));
    assert_eq!(config.typed.websocket.allowed_origins, ["https://a.test", "https://b.test"]);
}

#[test]
fn defaults_are_sound_and_become_every_typed_value() {
    let (demo, served) = (sound(&written(None, &[])), sound(&written(Some(""), &[])));
    assert!(demo.demo && demo.typed.operator_listen.is_none());
    assert_eq!(served.typed.operator_listen.map(|address| address.port()), Some(8081));
    let [mount, hub, livechat, matches @ ..] = served.typed.mounts.as_slice() else { panic!("more mounts") };
    let matches: Vec<_> =
        matches.iter().map(|it| (it.path.as_str(), it.speaks, it.auth, it.max_message_size)).collect();
    let scorers = ("/ws/scorer", Speaks::Match(Side::Scorers), MountAuth::Token, 64 << 10);
    let viewers = |path| (path, Speaks::Match(Side::Viewers), MountAuth::Optional, 4096);
    let events = viewers("/api/matches/{match}/events");
    let rides = ("/rides/ws", Speaks::Ride, MountAuth::Token, 8 << 10);
    assert_eq!(matches, [scorers, viewers("/ws/viewer"), viewers("/ws/match/{match}"), events, rides]);
    let single = |mount: &&Mount| mount.one_per_user;
    assert!(served.typed.mounts.iter().filter(single).map(|mount| mount.speaks).eq([Speaks::Ride]));
    let framings: Vec<_> = served.typed.mounts.iter().map(|mount| mount.framing == Framing::Events).collect();
    assert_eq!(framings, [false, false, false, false, false, false, true, false]);
    assert_eq!((livechat.speaks, livechat.app.as_str()), (Speaks::Livechat, "support"));
    assert_eq!((hub.path.as_str(), hub.speaks, hub.of_room), ("/api/v1/ws", Speaks::Hub, Some((10, 20))));
    assert_eq!((mount.path.as_str(), mount.app.as_str(), mount.max_message_size), ("/ws", "chat", 4096));
    assert_eq!((mount.speaks, mount.auth), (Speaks::Rooms, MountAuth::Token));
    assert!(served.warnings.is_empty());
}

#[test]
fn what_the_schema_offers_the_program_knows() {
    for row in schema::rows().chain(schema::groups().flat_map(|group| group.rows)) {
        let schema::Fallback::Text(text) = row.default else { continue };
        assert!(row.kind.read_text(text).is_ok(), "{} = {text}", row.key);
    }
    for group in schema::groups() {
        let algorithms = group.rows.iter().filter(|row| row.key.starts_with("algorithm"));
        for row in algorithms {
            let (kind::Kind::Choice(names) | kind::Kind::Choices(names)) = row.kind else {
                panic!("{}", row.key)
            };
            assert!(names.iter().all(|name| build::algorithm(name).is_some()), "{}", group.key);
        }
    }
    for (auth, known) in [
        ("token", MountAuth::Token),
        ("optional", MountAuth::Optional),
        ("in-band", MountAuth::InBand),
        ("trust-path", MountAuth::TrustPath),
        ("public", MountAuth::Public),
    ] {
        let file = format!("[[mounts]]\npath = \"/a/{{user}}\"\nauth = \"{auth}\"");
        assert_eq!(sound(&written(Some(&file), &[])).typed.mounts[0].auth, known);
    }
}

#[test]
fn a_mount_overrides_what_holds_for_all() {
    let file = "[websocket]\nmax_message_size = 1024\ncompression = false\n[limits]\nburst = 7\n\
                [[mounts]]\npath = \"/a\"\nburst = 9\ncompression = true\n[[mounts]]\npath = \"/b\"\n\
                allowed_origins = [\"https://b.test\"]\nmax_message_size = \"64KiB\"";
    let config = sound(&written(Some(file), &[]));
    let mounts: Vec<_> = config
        .typed
        .mounts
        .iter()
        .map(|it| (it.max_message_size, it.burst, it.allowed_origins.len()))
        .collect();
    assert_eq!(mounts, [(1024, Some(9), 0), (65_536, None, 1)]);
    let compressed: Vec<_> =
        config.typed.mounts.iter().map(|mount| mount.compression != typed::Compression::Off).collect();
    assert_eq!(compressed, [true, false]);
}

#[test]
fn keys_and_sets_of_keys_are_what_was_written() {
    let written_pem = include_str!("../../../identity/tests/keys/ed25519.pub.pem");
    let file = format!(
        "[[auth.keys]]\nid = \"a\"\nalgorithm = \"HS512\"\nsecret = \"{SECRET}\"\n\
         [[auth.keys]]\nalgorithm = \"EdDSA\"\npublic_key = '''\n{written_pem}'''\n\
         [[auth.jwks]]\nurl = \"https://a.test/keys\"\nalgorithms = [\"RS256\", \"ES256\"]\nrefresh = \"1m\""
    );
    let config = sound(&written(Some(&file), &[]));
    let auth = &config.typed.auth;
    assert!(matches!(config.typed.signing, Signing::Others), "no secret is made where others sign");
    assert!(matches!(&auth.keys[0].proof, typed::Proof::Shared { secret, .. } if secret.0 == SECRET));
    assert!(matches!(&auth.keys[1].proof, typed::Proof::Public { pem, .. } if pem == written_pem));
    assert_eq!(auth.key_sets[0].algorithms, [identity::Algorithm::Rs256, identity::Algorithm::Es256]);
    assert_eq!(auth.key_sets[0].refresh.as_secs(), 60);
}

#[test]
fn what_changed_is_applied_or_waits_for_a_restart() {
    let key = |secret: &str| format!("[[auth.keys]]\nalgorithm = \"HS256\"\nsecret = \"{secret}{SECRET}\"\n");
    let (one, other) = (key("1"), key("2"));
    let both = format!("{one}{other}");
    // What runs is what was begun with, however often the file has changed since.
    let began = sound(&written(Some("shards = 3\n[limits]\nburst = 9"), &[]));
    let last = sound(&written(Some("shards = 4\n[limits]\nburst = 10"), &[]));
    let back = began.changes_since(&began, &last);
    assert_eq!((back.applied.len(), back.needs_restart.len()), (1, 0));
    for (old, new, applied, restart) in [
        ("", "", &[][..], &[][..]),
        ("", "listen = \"127.0.0.1:8080\"", &[], &[]),
        ("", "[limits]\nburst = 9", &["limits.burst = 9 (was 40; kulkul.toml: line 2)"], &[]),
        ("[log]\nlevel = \"warn\"", "", &["log.level = info (was warn; default)"], &[]),
        ("", "shards = 200", &[], &["shards = 200 (was "]),
        ("", "listen = \"127.0.0.1:1\"\n[limits]\nburst = 9", &["limits.burst"], &["listen = 127.0.0.1:1"]),
        (&one, &other, &["auth.keys[0].secret = (hidden) (was (hidden)"], &[]),
        (&one, &both, &["auth.keys = 2 of them (was 1 of them"], &[]),
        (&one, "", &["auth.keys = 0 of them (was 1 of them"], &[]),
        (
            "",
            "[[mounts]]\npath = \"/a\"",
            &[],
            &["mounts[0].path = /a (was /ws", "mounts = 1 of them (was 8 of them"],
        ),
        (
            "[[mounts]]\npath = \"/a\"\nburst = 3\nallowed_origins = [\"https://a.test\"]",
            "[[mounts]]\npath = \"/a\"\nburst = 4\nallowed_origins = [\"https://b.test\"]",
            &["mounts[0].allowed_origins = https://b.test"],
            &["mounts[0].burst = 4"],
        ),
        (
            "",
            "[websocket]\nread_timeout = \"70s\"\nhandshake_timeout = \"3s\"",
            &["websocket.read_timeout = 70s"],
            &["websocket.handshake_timeout = 3s"],
        ),
    ] {
        let (old, new) = (sound(&written(Some(old), &[])), sound(&written(Some(new), &[])));
        let changes = new.changes_since(&old, &old);
        for (found, expected) in [(changes.applied, applied), (changes.needs_restart, restart)] {
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            assert_eq!(found.len(), expected.len(), "{found:#?}");
            assert!(found.iter().zip(expected).all(|(found, says)| found.starts_with(says)), "{found:#?}");
        }
    }
}

#[test]
fn a_setting_without_effect_is_warned_of_and_a_shared_engine_wants_a_shared_secret() {
    let crowded = sound(&written(Some("[limits]\ngreetings_max = 100"), &[]));
    assert_eq!(crowded.warnings.len(), 1, "{:?}", crowded.warnings);
    assert!(crowded.warnings[0].contains("line 2: `limits.connections_per_address` = 2000 is not below"));
    let warned = sound(&written(Some(""), &[("WS_READ_BUFFER_SIZE", "1024")]));
    assert_eq!(warned.warnings.len(), 1, "{:?}", warned.warnings);
    assert!(warned.warnings[0].contains("WS_READ_BUFFER_SIZE: `websocket.read_buffer_size` has no effect"));
    let shared = "engine = \"redis://ana:pass@host\"";
    let found = faults(&written(Some(shared), &[]));
    assert!(found.len() == 1 && found[0].contains("prove the same tokens"), "{found:#?}");
    assert!(!found[0].contains("pass@"), "{found:#?}");
    sound(&written(Some(&format!("{shared}\nsecret = \"0123456789abcdef0123456789abcdef\"")), &[]));
    assert_eq!(faults(&written(None, &[("KULKUL_ENGINE", "nats://host")])).len(), 1, "nor in demo mode");
    let users =
        "secret = \"0123456789abcdef0123456789abcdef\"\nengine = \"nats://u:pass@one,nats://u:word@two\"";
    let found = faults(&written(Some(users), &[]));
    assert!(found.len() == 1 && found[0].contains("different users"), "{found:#?}");
    assert!(!found[0].contains("u:"), "{found:#?}");
}

#[test]
fn what_records_are_to_survive_is_compared_with_what_the_config_itself_gives() {
    for (text, sound) in [
        ("engine = \"memory\"\ndurability = \"process\"", false),
        ("engine = \"disk\"\ndurability = \"power\"\n[disk]\nsync = \"process\"", false),
        ("engine = \"disk\"\ndurability = \"process\"\n[disk]\nsync = \"process\"", true),
        ("durability = \"power\"", true),
        ("engine = \"memory\"", true),
    ] {
        let found = faults(&written(Some(text), &[]));
        assert_eq!(found.is_empty(), sound, "{text}: {found:#?}");
        assert!(sound || found[0].contains("are to survive"), "{text}: {found:#?}");
    }
}

#[test]
fn an_authorizer_is_whole_or_its_line_is_named() {
    let secret = format!("secret = \"{SECRET}\"\n");
    let url = "url = \"https://back.test/may\"\n";
    let whole = format!("[authorizer]\n{url}{secret}");
    let typed = sound(&written(Some(&whole), &[])).typed.authorizer.expect("somebody is asked");
    assert!(typed.connect && typed.join && typed.publish && !typed.allows);
    assert_eq!(
        (typed.timeout.as_secs(), typed.cache_allowed.as_secs(), typed.cache_refused.as_secs()),
        (2, 30, 5)
    );
    assert!(sound(&written(Some(""), &[])).typed.authorizer.is_none());
    for (text, line, words) in [
        (format!("[authorizer]\n{url}"), 2, "`authorizer.url` without `authorizer.secret`"),
        (format!("[authorizer]\n{secret}"), 2, "`authorizer.secret` without `authorizer.url`"),
        (format!("[authorizer]\n{secret}url = \"ftp://back.test\""), 3, "expected an http or https URL"),
        (format!("[authorizer]\n{url}secret = \"short\""), 3, "`authorizer.secret` = (hidden): expected"),
        (format!("{whole}asks = [\"history\"]"), 4, "expected a list, each one of connect, join, publish"),
        (format!("{whole}asks = []"), 4, "`authorizer.asks` is empty"),
        (format!("{whole}rooms = []"), 4, "`authorizer.rooms` is empty"),
        (format!("{whole}on_failure = \"shrug\""), 4, "expected one of refuse, allow"),
        (format!("{whole}timeout = \"10s\""), 4, "must be below `websocket.handshake_timeout` = 10s"),
        (format!("{whole}cache_allowed = \"1h\""), 4, "expected a span from 0s to 10m"),
        (
            format!("{whole}[websocket]\nhandshake_timeout = \"1s\""),
            5,
            "`authorizer.timeout` = 2s must be below",
        ),
    ] {
        let found = faults(&written(Some(&text), &[]));
        assert_eq!(found.len(), 1, "{text}: {found:#?}");
        assert!(
            found[0].contains(&format!("line {line}: ")) && found[0].contains(words),
            "{text}: {found:#?}"
        );
    }
}

#[test]
fn demo_mode_stays_on_this_machine_unless_accepted() {
    let open = ("KULKUL_LISTEN", "0.0.0.0:0");
    let found = faults(&written(None, &[open]));
    assert!(found.len() == 1 && found[0].contains("secret ="), "it names the line to write: {found:#?}");
    sound(&written(None, &[open, ("KULKUL_ACCEPT_INSECURE", "true")]));
    sound(&written(Some(""), &[open]));
}

#[test]
fn a_load_generators_profile_lifts_limits_and_is_named() {
    let bench = |profile, variables| sound(&Written { profile, ..written(None, variables) });
    let config = bench(Profile::BenchQuiet, &[]);
    assert_eq!((config.typed.limits.burst, config.typed.log.level.as_str()), (1_000_000, "warn"));
    assert!(!config.typed.presence_notices && config.warnings.is_empty());
    let asked = bench(Profile::Bench, &[("KULKUL_LOG", "debug")]);
    assert_eq!(asked.typed.log.level, "debug", "the level that somebody asked for stays");
    assert!(asked.typed.presence_notices);
}

/// A maximum is written twice where one crate must not know the other: here, and where it holds. Simulator and tests run by the
/// latter, production by the former.
#[test]
fn what_holds_without_a_word_is_what_the_parts_hold_by_themselves() {
    let config = sound(&written(Some(&format!("secret = \"{SECRET}\"")), &[]));
    let (ours, theirs) = (crate::gate::limits(&config.typed), shard::Limits::default());
    assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    let mount = &config.typed.mounts[0];
    assert_eq!(mount.max_message_size, shard::MESSAGES.message_bytes_max);
    assert_eq!(config.typed.limits.fragments_max, shard::MESSAGES.fragments_max);
}
