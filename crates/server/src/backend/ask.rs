//! One request to a running server's HTTP API, as an operator's command makes it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use http_api::Scope;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::{self, Hidden};
use crate::options::{Nodes, Serve, Where};
use crate::secret;

/// A room answers within ten seconds, and the server within twelve.
const WITHIN: Duration = Duration::from_secs(15);
const DEMO: &str = "http://127.0.0.1:8080";

pub(super) struct Server {
    agent: ureq::Agent,
    url: String,
    key: String,
}

impl Server {
    pub(super) fn of(typed: &Where, scope: Scope) -> Result<Server> {
        Server::at(&typed.config, &typed.data, typed.url.clone(), scope)
    }

    fn at(
        config: &Option<PathBuf>,
        data: &Option<PathBuf>,
        url: Option<String>,
        scope: Scope,
    ) -> Result<Server> {
        let served = Serve { config: config.clone(), data: data.clone(), ..Serve::default() };
        let config = config::read(&served)?;
        let may = |key: &&config::ApiKey| key.scopes.contains(&scope);
        let key = match config.typed.api_keys.iter().find(may) {
            Some(key) => {
                let Hidden(secret) = &key.secret;
                secret.clone()
            }
            None if config.demo => secret::api_key_there(&config.typed.data)?,
            None => bail!("the config has no [[api.keys]] whose scopes hold {:?}; add one", scope.name()),
        };
        let of_config = config.typed.operator_listen.map(|address| format!("http://{address}"));
        let url = url.or(of_config).unwrap_or_else(|| DEMO.to_owned());
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ureq::tls::TlsConfig::builder().unversioned_rustls_crypto_provider(provider).build();
        let agent = ureq::Agent::config_builder().tls_config(tls).timeout_global(Some(WITHIN));
        let agent = agent.http_status_as_error(false).build().new_agent();
        Ok(Server { agent, url: url.trim_end_matches('/').to_owned(), key })
    }

    /// A pass of its key, for whoever is not to have the key itself.
    pub(super) fn pass(&self, until: vocabulary::Wall) -> String {
        http_api::pass(self.key.as_bytes(), until)
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn get<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, Unheard> {
        let request = self.agent.get(format!("{}{path}", self.url));
        let request = request.header("authorization", format!("Bearer {}", self.key));
        let said = query.iter().fold(request, |request, (name, value)| request.query(name, value)).call();
        self.heard(said)
    }

    pub(super) fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Unheard> {
        let request = self.agent.post(format!("{}{path}", self.url));
        let request = request.header("authorization", format!("Bearer {}", self.key));
        let request = request.header("content-type", "application/json");
        let body = serde_json::to_string(body).map_err(|error| Unheard::Refused(error.into()))?;
        self.heard(request.send(body))
    }

    fn heard<T: DeserializeOwned>(
        &self,
        said: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<T, Unheard> {
        let unreached = |error: ureq::Error| {
            let says = format!("{} does not answer; is it serving there? Say where with --url", self.url);
            Unheard::NotNow(anyhow::Error::from(error).context(says))
        };
        let mut response = said.map_err(unreached)?;
        let text = response.body_mut().read_to_string().map_err(unreached)?;
        let status = response.status().as_u16();
        if response.status().is_success() {
            let read = serde_json::from_str(&text).with_context(|| format!("{} is no Kulkul", self.url));
            return read.map_err(Unheard::Refused);
        }
        let body: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        let says = body["error"].as_str().map_or_else(|| body.to_string(), str::to_owned);
        let field = body["field"].as_str().map(|field| format!("`{field}`: ")).unwrap_or_default();
        let found = body["ref"].as_str().map(|reference| format!(" (ref {reference})")).unwrap_or_default();
        let refusal = anyhow!("{field}{says}{found}");
        Err(match status {
            401 => Unheard::Refused(anyhow!(
                "{} does not know this key; is it the server of this config or data folder?",
                self.url
            )),
            502..=504 => Unheard::NotNow(refusal),
            _ => Unheard::Refused(refusal),
        })
    }
}

impl Nodes {
    /// Each that was named, or the one of the config.
    pub(super) fn servers(&self, scope: Scope) -> Result<Vec<Server>> {
        if self.url.is_empty() {
            return Ok(vec![Server::at(&self.config, &self.data, None, scope)?]);
        }
        self.url.iter().map(|url| Server::at(&self.config, &self.data, Some(url.clone()), scope)).collect()
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Unheard {
    /// Nobody is there, or it is busy: later it may be otherwise.
    NotNow(anyhow::Error),
    /// It will not be otherwise.
    Refused(anyhow::Error),
}

impl From<Unheard> for anyhow::Error {
    fn from(why: Unheard) -> anyhow::Error {
        let (Unheard::NotNow(error) | Unheard::Refused(error)) = why;
        error
    }
}
