//! The guide shows the code and the dialogue as they are, and all of both.

use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with("//!"))
}

#[test]
fn every_line_of_the_app_is_in_the_guide_and_no_other() {
    let (guide, code) = (read("docs/your-own-app.md"), read("apps/poll/src/lib.rs"));
    let mut shown: Vec<&str> = guide
        .split("```rust\n")
        .skip(1)
        .flat_map(|block| lines(block.split("```").next().unwrap_or_default()))
        .collect();
    let mut written: Vec<&str> = lines(&code).collect();
    shown.sort_unstable();
    written.sort_unstable();
    assert_eq!(shown, written);
}

#[test]
fn the_dialogue_of_the_guide_is_the_one_that_is_played() {
    let (guide, dialogue) = (read("docs/your-own-app.md"), read("sim/transcripts/poll.txt"));
    assert!(guide.contains(dialogue.trim_end()), "docs/your-own-app.md shows another dialogue");
}
