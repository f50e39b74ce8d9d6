//! A way to NATS servers, for the engine and for a bridge: who we are there, and how the connection is made secure. It connects to
//! nothing, and knows no stream and no subject.

use std::fmt;
use std::path::PathBuf;

use async_nats::ConnectOptions;

#[derive(Clone, Default)]
pub enum Credentials {
    #[default]
    None,
    Password {
        user: String,
        password: String,
    },
    Token(String),
    /// The seed of a user's key pair.
    Nkey(String),
    /// The file that holds a user's token and seed.
    File(PathBuf),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credentials::None => f.write_str("None"),
            Credentials::Password { user, .. } => write!(f, "Password({user})"),
            Credentials::Token(_) => f.write_str("Token"),
            Credentials::Nkey(_) => f.write_str("Nkey"),
            Credentials::File(path) => write!(f, "File({})", path.display()),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Refuse a server that speaks without.
    pub required: bool,
    /// Speak TLS from the first byte, as `handshake_first` has it.
    pub first: bool,
    /// Authorities to trust instead of the system's.
    pub authorities: Option<PathBuf>,
    /// Our own certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// The file of credentials cannot be used.
#[derive(Debug)]
pub struct CredentialsFile {
    pub path: String,
    pub why: String,
}

/// What is the same for whoever connects; names, times and what is heard are theirs.
pub fn options(credentials: &Credentials, tls: &Tls) -> Result<ConnectOptions, CredentialsFile> {
    // Ours and the library's are the same provider; who was first does not matter.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let mut options = ConnectOptions::new().name("kulkul");
    options = match credentials {
        Credentials::None => options,
        Credentials::Password { user, password } => options.user_and_password(user.clone(), password.clone()),
        Credentials::Token(token) => options.token(token.clone()),
        Credentials::Nkey(seed) => options.nkey(seed.clone()),
        Credentials::File(path) => {
            let text = std::fs::read_to_string(path);
            let options = text.and_then(|text| options.credentials(&text));
            options.map_err(|error| CredentialsFile {
                path: path.display().to_string(),
                why: error.to_string(),
            })?
        }
    };
    if tls.required {
        options = options.require_tls(true);
    }
    if tls.first {
        options = options.tls_first();
    }
    if let Some(path) = &tls.authorities {
        options = options.add_root_certificates(path.clone());
    }
    if let Some((certificate, key)) = &tls.identity {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    Ok(options)
}

/// For people: a password may stand in an address.
pub fn shown(servers: &[String]) -> String {
    servers.iter().map(|url| without_secret(url)).collect::<Vec<_>>().join(", ")
}

fn without_secret(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((_, host)) => format!("{scheme}://…@{host}"),
            None => url.to_owned(),
        },
        None => url.rsplit_once('@').map_or(url, |(_, host)| host).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_servers_and_credentials_holds_no_secret() {
        let servers = ["nats://ana:hush@one:4222", "two", "u:hush@three"].map(str::to_owned);
        assert_eq!(shown(&servers), "nats://…@one:4222, two, three");
        let password = Credentials::Password { user: "ana".to_owned(), password: "hush".to_owned() };
        for credentials in
            [password, Credentials::Token("hush".to_owned()), Credentials::Nkey("hush".to_owned())]
        {
            assert!(!format!("{credentials:?}").contains("hush"));
        }
    }

    #[test]
    fn a_file_of_credentials_that_is_not_there_is_named() {
        let refused = options(&Credentials::File("/nowhere/a.creds".into()), &Tls::default());
        assert!(refused.is_err_and(|refused| refused.path == "/nowhere/a.creds"));
    }
}
