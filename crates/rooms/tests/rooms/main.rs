//! A shard's rooms between what members ask and what the engine answers.

mod aging;
mod appending;
mod desk;
mod history;
mod joining;
mod outward;
mod presence;
mod resuming;
mod retelling;
mod sinking;
mod subjects;
mod sweeping;
mod sweeping_elsewhere;
mod sweeping_late;
