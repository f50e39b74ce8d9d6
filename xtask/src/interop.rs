//! The chore `interop`: clients that others wrote hold the conversation of `interop/scenario.json` with our binary, over
//! every route that a site would have. It starts and judges; what is said is in the scenario.

mod clients;
mod routes;

use std::path::Path;
use std::process::ExitCode;

use clients::{CLIENTS, Client, Tools};
pub(crate) use clients::{chromium, node, packages};
use routes::{ROUTES, Route};

use crate::server::{self, Build, Server};
use crate::steps::{Outcome, Steps, Told};
use crate::workspace;

pub(crate) fn chore(root: &Path, args: &[&str]) -> ExitCode {
    let mut steps = Steps::begin("interop", Told::People);
    steps.run("interop", |steps| match args {
        [] => talked(steps, root, Build::Shipped),
        _ => Err("it takes no arguments".to_owned()),
    });
    steps.end()
}

/// The step of `test`, with the binary that the tests built.
pub(crate) fn all(steps: &Steps, root: &Path) -> Outcome {
    talked(steps, root, Build::Tested)
}

fn talked(steps: &Steps, root: &Path, build: Build) -> Outcome {
    let folder = workspace::target_folder(root)?.join("interop");
    let tools = Tools::installed(root, &folder, |words| steps.say(words))?;
    let binary = server::binary(root, build)?;
    steps.say(&format!("  with {tools}"));
    let (mut told, mut failed) = (Vec::new(), false);
    for route in ROUTES {
        let outcome = over(steps, root, route, &folder, &tools, &binary);
        failed |= outcome.is_err();
        let (Ok(note) | Err(note)) = outcome;
        told.push(format!("{}: {note}", route.name));
    }
    let told = told.join("; ");
    if failed { Err(told) } else { Ok(told) }
}

/// Every client over one route, each against a server that has seen the others.
fn over(steps: &Steps, root: &Path, route: &Route, folder: &Path, tools: &Tools, binary: &Path) -> Outcome {
    steps.say(&format!("  {}", route.name));
    let folder = folder.join(route.name);
    server::empty_folder(&folder)?;
    let arguments = if route.sealed { server::sealed(&folder)? } else { Vec::new() };
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let server = Server::start(binary, &folder.join("server"), &arguments)?;
    let way = route.open(root, &folder, server.address())?;
    // The certificate names this host and no address.
    let address = if route.sealed { way.address.replace("127.0.0.1", "localhost") } else { way.address };
    let secret = if route.sealed { "s" } else { "" };
    let tokens = serde_json::json!({ "ana": server.token("ana")?, "bo": server.token("bo")? });
    let (mut rounds, mut failed) = (0, 0);
    for client in CLIENTS {
        let asked = serde_json::json!({
            "url": format!("ws{secret}://{address}/ws"),
            "page": format!("http{secret}://{address}/"),
            "tokens": tokens,
            "room": client.name,
            "chromium": tools.chromium(),
            "profile": folder.join("chromium"),
        });
        let (good, bad) = round_of(steps, root, client, tools, &asked.to_string(), &folder);
        rounds += good + bad;
        failed += bad;
    }
    let note = format!("{} of {rounds} with {} clients", rounds - failed, CLIENTS.len());
    if failed == 0 { Ok(note) } else { Err(note) }
}

/// How many of a client's conversations went well, and how many did not.
fn round_of(
    steps: &Steps,
    root: &Path,
    client: &Client,
    tools: &Tools,
    asked: &str,
    folder: &Path,
) -> (usize, usize) {
    let (mut good, mut bad) = (Vec::new(), 0);
    match client.talk(root, tools, asked, folder) {
        Err(error) => {
            steps.say(&format!("    {}: {error}", client.name));
            bad = client.rounds.len();
        }
        Ok(told) => {
            for (round, outcome) in told {
                match outcome {
                    Ok(()) => good.push(round),
                    Err(why) => {
                        steps.say(&format!("    {}, {round}: {why}", client.name));
                        bad += 1;
                    }
                }
            }
        }
    }
    steps.say(&format!("    {:<12} {}", client.name, good.join(", ")));
    (good.len(), bad)
}
