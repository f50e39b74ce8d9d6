//! Matches on a table: the rules as rows, rooms as dialogues, and seasons of matches at random.

mod bounds;
mod clocks;
mod corrections;
mod defects;
mod rooms;
mod rules;
mod seasons;
mod ties;
mod vectors;
mod world;
