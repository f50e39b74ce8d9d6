//! The chore `pages`: the web pages in a real Chromium, against our binary. It starts and judges; what is looked at is in
//! `web/tests`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::client::{TEST_TIMEOUT, at, files, tally};
use crate::interop;
use crate::server::{self, Build};
use crate::steps::{Outcome, Steps, Told};

const FOLDER: &str = "web/tests";
/// One browser at a time: what they wait for is counted in seconds of a machine of their own.
const ONE_FILE_AT_A_TIME: &str = "--test-concurrency=1";

pub(crate) fn chore(root: &Path, args: &[&str]) -> ExitCode {
    let mut steps = Steps::begin("pages", Told::People);
    steps.run("pages", |steps| match args {
        [] => tested(steps, root, None),
        [name] => tested(steps, root, Some(name)),
        _ => Err("it takes one name at most: that of a file of web/tests, without its .test.js".to_owned()),
    });
    steps.end()
}

/// The step of `test`.
pub(crate) fn all(steps: &Steps, root: &Path) -> Outcome {
    tested(steps, root, None)
}

/// With the binary that the tests build: whoever changes a page builds it often, and a page is the same in any.
fn tested(steps: &Steps, root: &Path, only: Option<&str>) -> Outcome {
    let home = root.join(FOLDER);
    let chosen = chosen(files(&home)?, only)?;
    let (chromium, browser) = interop::chromium()?;
    let (node, version) = interop::node(root, |words| steps.say(words))?;
    interop::packages(&home, |words| steps.say(words))?;
    let binary = server::binary(root, Build::Tested)?;
    steps.say(&format!("  with {browser}, Node {version}"));
    let mut command = at(&node, &home);
    command.args(["--test", TEST_TIMEOUT, ONE_FILE_AT_A_TIME, "--test-reporter=tap"]).args(&chosen);
    command.env("KULKUL_BINARY", &binary).env("KULKUL_CHROMIUM", chromium);
    let passed = tally(steps, &mut command)?;
    Ok(format!("{passed} tests in {} files, {browser}", chosen.len()))
}

fn chosen(files: Vec<PathBuf>, only: Option<&str>) -> Result<Vec<PathBuf>, String> {
    let Some(only) = only else { return Ok(files) };
    let name = format!("{only}.test.js");
    let found: Vec<PathBuf> = files.into_iter().filter(|file| file.ends_with(&name)).collect();
    if found.is_empty() { Err(format!("{FOLDER} has no {name}")) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_chooses_its_file_and_no_other() {
        let files = || ["a/talk.test.js", "a/walk-and-talk.test.js"].map(PathBuf::from).to_vec();
        assert_eq!(chosen(files(), Some("talk")), Ok(vec![PathBuf::from("a/talk.test.js")]));
        assert_eq!(chosen(files(), None), Ok(files()));
        assert_eq!(chosen(files(), Some("walk")), Err("web/tests has no walk.test.js".to_owned()));
    }
}
