//! Room names as clients write them: with their app in front, or short for the mount's own app.

use vocabulary::{NameError, RoomId, Word, check_name};

/// What names mean on one mount.
pub struct Names<'a> {
    /// The app that short names belong to.
    pub app: &'a str,
    /// Whether a prefix is an app; any other is part of the name.
    pub is_app: &'a dyn Fn(&str) -> bool,
    /// The one room of the connection, where its path names it.
    pub own: Option<&'a RoomId>,
    /// A request that an app's rooms know, by the app and the request's own name.
    pub word: &'a dyn Fn(&str, &str) -> Option<Word>,
}

impl Names<'_> {
    /// The room, and whether it was written in full.
    pub fn room(&self, written: &str) -> Result<(RoomId, bool), NameError> {
        check_name(written)?;
        if let Some((app, name)) = written.split_once(':')
            && (self.is_app)(app)
        {
            check_name(name)?;
            return Ok((RoomId::new(app, name), true));
        }
        Ok((RoomId::new(self.app, written), false))
    }
}
