//! Tokens that are worth nothing any more, though their time has not come.

use std::sync::Arc;

use crate::{UserId, Wall};

/// Which tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// Those of a user that were made until then: logged out everywhere, or banned if nobody makes new ones. A token that
    /// does not say when it was made counts as made before.
    User { id: UserId, until: Wall },
    /// The one with this id.
    Token(Arc<str>),
}
