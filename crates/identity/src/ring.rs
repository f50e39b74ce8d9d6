//! All keys of a deployment at one moment, and the one question that is asked of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use session::Authenticated;
use vocabulary::{Revocation, UserId, Wall};

use crate::header::Parts;
use crate::{KeySet, ProvingKey, TokenRules, Unverified};

/// A change makes a new ring; whoever verifies holds one for as long as that takes.
#[derive(Clone, Debug, Default)]
pub struct KeyRing {
    /// Of the configuration, in its order.
    pub fixed: Vec<ProvingKey>,
    /// Of sets, which change without us.
    pub sets: Vec<Option<Arc<KeySet>>>,
    pub rules: TokenRules,
    revoked_users: Arc<BTreeMap<UserId, Wall>>,
    /// With the time of their revocation.
    revoked_tokens: Arc<BTreeMap<Arc<str>, Wall>>,
}

/// Revocations of each kind that are remembered: more than are made in the life of a token. Beyond it the oldest gives way,
/// whose tokens are the likeliest to have ended.
const REVOCATIONS_MAX: usize = 100_000;

impl KeyRing {
    pub fn new(fixed: Vec<ProvingKey>, sets: usize, rules: TokenRules) -> KeyRing {
        KeyRing { fixed, sets: vec![None; sets], rules, ..KeyRing::default() }
    }

    /// Whom the token proves to be there, and until when.
    pub fn verify(&self, now: Wall, token: &str) -> Result<Authenticated, Unverified> {
        let parts = Parts::of(token)?;
        let key = self.key_of(&parts)?;
        let who = self.rules.read(now, key.issuer.as_deref(), &parts.claims)?;
        let logged_out =
            self.revoked_users.get(&who.user.person.id).is_some_and(|until| who.issued <= *until);
        if logged_out || who.token.as_ref().is_some_and(|id| self.revoked_tokens.contains_key(id)) {
            return Err(Unverified::Revoked);
        }
        Ok(who)
    }

    /// The key that proves the signature. A token that names a key is proven by that one or by none.
    fn key_of(&self, parts: &Parts<'_>) -> Result<&ProvingKey, Unverified> {
        let all = || self.fixed.iter().chain(self.sets.iter().flatten().flat_map(|set| &set.keys));
        let named = |key: &&ProvingKey| match &parts.key {
            // The only secret of a small deployment has no name, and needs none.
            Some(id) => key.id.as_ref() == Some(id) || (key.id.is_none() && key.issuer.is_none()),
            None => true,
        };
        if !all().any(|key| named(&key)) {
            return Err(Unverified::UnknownKey);
        }
        // The name may be that of a key that is not here yet, whatever the nameless ones say.
        let missing = parts.key.is_some() && !all().any(|key| key.id == parts.key);
        let of_kind = |key: &&ProvingKey| named(key) && key.algorithm.name() == parts.algorithm;
        // Whoever publishes another's key proves nothing of the other's with it.
        let fits = |key: &&ProvingKey| of_kind(key) && key.issuer.as_deref().is_none_or(|it| parts.is_of(it));
        if let Some(key) = all().filter(fits).find(|key| key.proves(parts)) {
            return Ok(key);
        }
        Err(match () {
            () if missing => Unverified::UnknownKey,
            () if all().any(|key| fits(&key)) => Unverified::Signature,
            () if all().any(|key| of_kind(&key)) => Unverified::Claim("the token is of another issuer"),
            () => Unverified::Algorithm,
        })
    }

    /// With one revocation more, made now.
    pub fn revoked(&self, now: Wall, revocation: &Revocation) -> KeyRing {
        let mut ring = self.clone();
        match revocation {
            Revocation::User { id, until } => {
                let users = Arc::make_mut(&mut ring.revoked_users);
                let entry = users.entry(id.clone()).or_insert(*until);
                *entry = (*entry).max(*until);
                forget_oldest(users);
            }
            Revocation::Token(id) => {
                let tokens = Arc::make_mut(&mut ring.revoked_tokens);
                tokens.insert(id.clone(), now);
                forget_oldest(tokens);
            }
        }
        ring
    }

    /// Keys that can prove something now.
    pub fn len(&self) -> usize {
        self.fixed.len() + self.sets.iter().flatten().map(|set| set.len()).sum::<usize>()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn forget_oldest<K: Ord + Clone>(revoked: &mut BTreeMap<K, Wall>) {
    if revoked.len() > REVOCATIONS_MAX
        && let Some(oldest) = revoked.iter().min_by_key(|(_, at)| **at).map(|(key, _)| key.clone())
    {
        revoked.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_revocations_are_remembered() {
        let mut tokens: BTreeMap<u32, Wall> =
            (0..REVOCATIONS_MAX as u32).map(|id| (id, Wall(1000 - i64::from(id % 1000)))).collect();
        tokens.insert(7_000_000, Wall(2000));
        forget_oldest(&mut tokens);
        assert_eq!(tokens.len(), REVOCATIONS_MAX);
        assert!(tokens.contains_key(&7_000_000) && !tokens.contains_key(&999));
    }
}
