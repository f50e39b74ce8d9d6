//! `kulkul token`: prints one token and nothing else.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use identity::Secret;
use node::Facts;
use vocabulary::Wall;

use crate::options::{Serve, Token};
use crate::{config, secret};

/// What a token that we make says.
#[derive(serde::Serialize)]
struct Claims {
    sub: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rooms: Vec<String>,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    /// By the name that the configuration gives it.
    #[serde(flatten)]
    groups: BTreeMap<String, Vec<String>>,
}

pub(crate) fn print(ask: &Token) -> Result<()> {
    vocabulary::check_user(&ask.user).map_err(|error| {
        anyhow::anyhow!(
            "--user {:?} {error}; a user id is 1 to 128 bytes without control characters",
            ask.user
        )
    })?;
    let served = Serve { config: ask.config.clone(), data: ask.data.clone(), ..Serve::default() };
    let config = config::read(&served)?;
    let Some(secret) = secret::of(&config)? else {
        bail!("others sign the tokens of this server: its config has keys in `auth`, and no `secret`");
    };
    let name = ask.name.clone().unwrap_or_else(|| ask.user.clone());
    let groups = (config.typed.auth.groups_claim.clone(), ask.groups.clone());
    let says = Says { role: ask.role.clone(), rooms: ask.rooms.clone(), groups, ..Says::default() };
    let token = sign(&secret, &ask.user, name, says, ask.ttl)?;
    println!("{token}");
    Ok(())
}

/// What a token may say besides whose it is.
#[derive(Default)]
pub(crate) struct Says {
    pub role: Option<String>,
    pub rooms: Vec<String>,
    /// Of which groups they are, and the claim that says so.
    pub groups: (String, Vec<String>),
    /// Its own id, by which it is known again, and revoked alone.
    pub id: Option<String>,
    /// It ends no later, whatever time it is given.
    pub ends_by: Option<Wall>,
}

pub(crate) fn sign(
    secret: &Secret,
    user: &str,
    name: String,
    says: Says,
    time_to_live: std::time::Duration,
) -> Result<String> {
    let now = Facts::now().0 / 1000;
    let exp = now + i64::try_from(time_to_live.as_secs()).unwrap_or(i64::MAX / 2);
    let Says { role, rooms, groups, id, ends_by } = says;
    let exp = ends_by.map_or(exp, |ends| exp.min(ends.0 / 1000));
    let groups = [groups].into_iter().filter(|(_, groups)| !groups.is_empty()).collect();
    let claims = Claims { sub: user.to_owned(), name, role, rooms, iat: now, exp, jti: id, groups };
    secret.sign(&claims).map_err(anyhow::Error::msg).context("the token cannot be signed")
}
