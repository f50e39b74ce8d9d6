//! Conversations: commands are decided, what comes of them is recorded and applied, and what members see is compared.

mod bounds;
mod folds;
mod ranks;
mod room;
mod table;
mod words;
