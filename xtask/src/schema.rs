//! The chore `schema`: schemathesis asks the operators' calls whatever their document allows, and more, and holds each answer against it.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::server::{self, Build, Server};
use crate::steps::{Outcome, Steps, Told, run_and_read, without_colour};
use crate::tools::python;
use crate::workspace;

/// Drawn for each call, beside those that cover each field's limits.
const DRAWN: &str = "40";
/// What an answer is held against. Not among them: that whatever fits the schema is done. Rules between fields, such as exactly one of
/// `room` and `user`, are said in words, and their refusal is an answer of the document.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method";
/// May everything; a server of its own that is gone in a minute.
const KEY: &str = "a key that may everything, of 32 bytes";
const CONFIG: &str = "operator_listen = \"127.0.0.1:0\"\nsecret = \"0123456789abcdef0123456789abcdef\"\n[[api.keys]]\nname = \"schema\"\n\
                      secret = \"a key that may everything, of 32 bytes\"\n\
                      scopes = [\"publish\", \"history\", \"everybody\", \"inspect\", \"operate\"]\n";
/// It ends the server, as it should.
const NOT_ASKED: &str = "/drain";

/// What is drawn in every run of the tests is the same; whoever looks for more names another seed.
const SEED: &str = "1";

pub(crate) fn chore(root: &Path, seed: Option<&str>) -> ExitCode {
    let mut steps = Steps::begin("schema", Told::People);
    steps.run("schema", |steps| drawn(steps, root, seed.unwrap_or(SEED)));
    steps.end()
}

pub(crate) fn all(steps: &Steps, root: &Path) -> Outcome {
    drawn(steps, root, SEED)
}

fn drawn(steps: &Steps, root: &Path, seed: &str) -> Outcome {
    let folder = workspace::target_folder(root)?.join("schema");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let (programs, _) =
        python(&root.join("xtask/schema"), &folder.join("python"), &|words: &str| steps.say(words))?;
    let data = folder.join("data");
    let config = folder.join("kulkul.toml");
    fs::write(&config, CONFIG).map_err(|error| format!("{}: {error}", config.display()))?;
    let arguments = ["--config", &config.display().to_string()];
    let server = Server::start(&server::binary(root, Build::Tested)?, &data, &arguments)?;
    let operator = server.operator.as_deref().ok_or("the operators have no door")?;
    let mut command = Command::new(programs.join("schemathesis"));
    command.current_dir(&folder);
    command.args(["run", &format!("{operator}/openapi.json")]);
    command.args(["--header", &format!("Authorization: Bearer {KEY}")]);
    command.args(["--exclude-path", NOT_ASKED, "--checks", CHECKS, "--max-examples", DRAWN]);
    command.args(["--phases", "examples,coverage,fuzzing", "--no-color", "--seed", seed]);
    let (mut tested, mut cases, mut words) = (0, String::new(), Vec::new());
    let ran = run_and_read(command, |line| {
        let line = without_colour(line);
        let line = line.trim();
        tested = line.strip_prefix("Tested: ").and_then(|count| count.parse().ok()).unwrap_or(tested);
        if line.contains(" generated, ") {
            cases = line.to_owned();
        }
        words.push(line.to_owned());
    });
    match ran {
        Ok(()) if tested > 0 => Ok(format!("{tested} calls, {cases}")),
        Ok(()) => Err("no call was tested".to_owned()),
        Err(status) => Err(format!("{status}\n{}", words.join("\n"))),
    }
}
