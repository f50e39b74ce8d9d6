//! The protocols against their golden files, their page and arbitrary input.

mod golden;
mod page;
mod properties;
mod rides;
