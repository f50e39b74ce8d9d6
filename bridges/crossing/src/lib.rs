//! What bridges to brokers that keep what they get have in common: how a message is read by a row of the configuration, what a room's
//! answer means for it, and how what rooms owe is carried out of them. It knows no broker and opens no connection.

mod answer;
mod busy;
mod chance;
mod envelope;
mod names;
mod reach;
mod sinking;
mod stage;
mod template;

pub use answer::{Came, came};
pub use chance::{chance, pause};
pub use envelope::{envelope, fields_of};
pub use names::{MESSAGE_BYTES_MAX, Poison, id, object, person, poison, room, text};
pub use reach::{Reach, add, set};
pub use sinking::{Carried, Carrier, Goes, go_on};
pub use stage::Stage;
pub use template::{Fields, Template, field, path};

use std::any::Any;

/// What this deployment says who it is in what it produces.
pub const ORIGIN: &str = "kulkul-origin";
/// Where a message stands that was said in a room: whoever reads it twice can tell.
pub const POSITION: &str = "kulkul-position";
pub const ROOM: &str = "kulkul-room";

pub fn words_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without words")
}
