//! Who asks by HTTP, proven as at the door: by the keys and rules in force, and pages of the same origins. It takes no places and
//! answers nothing.

use std::sync::Arc;

use identity::Unverified;
use session::Authenticated;

use crate::facts::Facts;
use crate::gatekeeper::Gatekeeper;
use crate::keeper::Keeper;
use crate::origins::Origins;

#[derive(Clone)]
pub struct Prover {
    pub(crate) gatekeeper: Arc<Gatekeeper>,
    pub(crate) keeper: Arc<Keeper>,
}

/// Why a token proves nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproven {
    No,
    /// It names a key that is being fetched.
    NotYet,
}

impl Prover {
    pub fn prove(&self, token: &str) -> Result<Authenticated, Unproven> {
        let (keys, rounds) = self.gatekeeper.keys();
        keys.verify(Facts::now(), token).map_err(|error| {
            let hopes = error == Unverified::UnknownKey && !self.keeper.ask(&rounds).is_empty();
            if hopes { Unproven::NotYet } else { Unproven::No }
        })
    }

    /// Pages of which origins may come by the mount at this path; none: there is no such mount.
    pub fn origins(&self, path: &str) -> Option<Origins> {
        self.gatekeeper.origins(path)
    }
}
