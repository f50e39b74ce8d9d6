//! The servers of a NATS cluster, as they are written: one address, or several with commas between, and who we are there. It
//! connects to nothing, and what it refuses with holds no password.

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// Without user and password.
    pub servers: Vec<String>,
    /// The same for all of them, whichever of them says it.
    pub user: Option<(String, String)>,
    pub tls: bool,
}

pub(crate) fn read(text: &str) -> Result<Addresses, String> {
    let (mut servers, mut user, mut scheme) = (Vec::new(), None::<(String, String)>, None);
    for url in text.split(',').map(str::trim) {
        let (said, rest) = match url.split_once("://") {
            Some((said @ ("nats" | "tls"), rest)) => (said, rest),
            Some(_) => return Err("each address begins with nats:// or tls://".to_owned()),
            // The rest of a password, rather than an address.
            None if url.contains('@') => {
                return Err(
                    "an address with a user begins with nats:// or tls://, and in a password a comma is \
                            written %2C"
                        .to_owned(),
                );
            }
            None => (scheme.unwrap_or("nats"), url),
        };
        scheme.get_or_insert(said);
        let (proof, host) = match rest.rsplit_once('@') {
            Some((proof, host)) => (Some(proof), host),
            None => (None, rest),
        };
        if host.is_empty() {
            return Err(
                "one of the addresses names no host: write nats://host:port,nats://host:port".to_owned()
            );
        }
        if let Some(proof) = proof {
            let (name, password) = proof.split_once(':').unwrap_or((proof, ""));
            let says = (decoded(name)?, decoded(password)?);
            if user.get_or_insert_with(|| says.clone()) != &says {
                return Err(
                    "its addresses name different users or passwords: one is used for all, so write it once"
                        .to_owned(),
                );
            }
        }
        servers.push(format!("{said}://{host}"));
    }
    let tls = servers.iter().any(|server| server.starts_with("tls://"));
    Ok(Addresses { servers, user, tls })
}

/// `%40` is an `@`.
fn decoded(text: &str) -> Result<String, String> {
    let wrong =
        || "in a user or password a `%` is written %25, and what follows one is two hex digits".to_owned();
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16)).ok_or_else(wrong);
    let (mut plain, mut bytes) = (Vec::new(), text.bytes());
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'%' => (digit(bytes.next())? * 16 + digit(bytes.next())?) as u8,
            byte => byte,
        });
    }
    String::from_utf8(plain)
        .map_err(|_| "a user or password is not UTF-8 once its %-signs are read".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_read_by_itself_and_one_user_is_for_all() {
        for (text, servers, user, tls) in [
            ("nats://host:4222", &["nats://host:4222"][..], None, false),
            ("nats://a,nats://b", &["nats://a", "nats://b"], None, false),
            ("nats://a, b", &["nats://a", "nats://b"], None, false),
            ("tls://ana@host", &["tls://host"], Some(("ana", "")), true),
            ("nats://ana:p@ss@host:4222", &["nats://host:4222"], Some(("ana", "p@ss")), false),
            ("nats://ana:p%40s%2Cs%25@host", &["nats://host"], Some(("ana", "p@s,s%")), false),
            ("nats://%C3%A4:p:q@host", &["nats://host"], Some(("ä", "p:q")), false),
            ("nats://u:p@h1:1,nats://u:p@h2:2", &["nats://h1:1", "nats://h2:2"], Some(("u", "p")), false),
            ("nats://u:%70@h1,nats://u:p@h2", &["nats://h1", "nats://h2"], Some(("u", "p")), false),
            (
                "nats://h1,tls://u:p@h2,nats://h3",
                &["nats://h1", "tls://h2", "nats://h3"],
                Some(("u", "p")),
                true,
            ),
        ] {
            let servers = servers.iter().map(|server| (*server).to_owned()).collect();
            let user = user.map(|(user, password)| (user.to_owned(), password.to_owned()));
            assert_eq!(read(text), Ok(Addresses { servers, user, tls }), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_in_words_without_the_password() {
        for (text, says) in [
            ("nats://u:secret@h1,nats://u:hidden@h2", "different"),
            ("nats://u:secret@h1,nats://v:secret@h2", "different"),
            ("nats://u:sec,ret@host", "%2C"),
            ("nats://u:secret%@host", "%25"),
            ("nats://u:secret%zz@host", "%25"),
            ("nats://u:secret%ff@host", "UTF-8"),
            ("nats://u:secret@", "no host"),
            ("nats://host,", "no host"),
            ("nats://host,redis://host", "nats:// or tls://"),
        ] {
            let why = read(text).expect_err(text);
            assert!(why.contains(says) && !why.contains("secret") && !why.contains("ret@"), "{text}: {why}");
        }
    }
}
