//! Every chore of the project, run as `cargo xtask <chore>`. A chore says what it did, and fails when a part of it did
//! not happen.

mod check;
mod child;
mod client;
mod conformance;
mod edges;
mod faults;
mod files;
mod finding;
mod fuzz;
mod hostile;
mod interop;
mod kafka;
mod links;
mod packaging;
mod pages;
mod policy;
mod purity;
mod rows;
mod schema;
mod server;
mod services;
mod source;
mod steps;
mod suites;
mod supply;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::path::Path;
use std::process::ExitCode;

use steps::{Steps, Told, cargo_at, run};

const HELP: &str = "\
cargo xtask <chore>

  check [--json]   formatting, lints, the arrows between crates, style, links; seconds
  test             check, every test, the simulator; what a change must pass
  sim [args]       the simulator: --seeds N for many, --seed S to replay one, --trace for all that happens in it
                   --scenario NAME for a world that has a name, `all` for each of them; --list says which there are
                   --desks and --rides [--full] for worlds of support and of rides
  sim rides        3,000 worlds of rides, and ten of full size
  bench [args]     the server in release, measured: passed on to `kulkul bench`
  services         Redis, NATS and Kafka for the tests: looks for them, installs them; `services up` starts them
  interop          clients that others wrote, straight and through HAProxy and nginx
  client           the JavaScript client: types, tests, tests against the server, the package
  hostile          slow clients by the thousand: the server must stay there for everybody else
  supply           cargo-deny over all that is built in: advisories, licences, where it comes from
  pages [name]     the web pages in a real Chromium; a name for one file of web/tests
  packaging        units, compose file, manifests, alerts and dashboard, read by the programs that they are for
  schema [seed]    the operators' calls, asked by schemathesis whatever their document allows
  faults [args]    real processes killed, starved and drained under load; --small for the short form, names for some;
                   a row such as T07 or R12 for what keeps it, scenarios and tests
  fuzz [target]    hostile bytes for what reads bytes of strangers; --seconds N for longer, --input FILE for one again
  conformance      Autobahn's 517 cases against the released binary, written to docs/conformance.md
                   --quick: the sections that take seconds; --tls: only over TLS
  help             this page
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let root = match steps::root() {
        Ok(root) => root,
        Err(error) => return refuse(&error),
    };
    match args.as_slice() {
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        ["check"] => check::chore(&root, Told::People),
        ["check", "--json"] => check::chore(&root, Told::Machine),
        ["test"] => test::chore(&root),
        ["sim", args @ ..] => sim(&root, args),
        ["bench", args @ ..] => bench(&root, args),
        ["services"] => services::chore(&root),
        ["services", "up"] => services::up(&root),
        ["faults", args @ ..] => faults::chore(&root, args),
        ["fuzz", args @ ..] => fuzz::chore(&root, args),
        ["hostile", args @ ..] => hostile::chore(&root, args),
        ["pages", args @ ..] => pages::chore(&root, args),
        ["packaging"] => packaging::chore(&root),
        ["schema"] => schema::chore(&root, None),
        ["schema", seed] => schema::chore(&root, Some(seed)),
        ["supply", args @ ..] => supply::chore(&root, args),
        ["client", args @ ..] => client::chore(&root, args),
        ["interop", args @ ..] => interop::chore(&root, args),
        ["conformance", args @ ..] => conformance::chore(&root, args),
        [chore, ..] => refuse(&format!(
            "`{}` is no chore; see: cargo xtask help",
            [*chore].iter().chain(&args[1..]).copied().collect::<Vec<_>>().join(" ")
        )),
    }
}

fn sim(root: &Path, args: &[&str]) -> ExitCode {
    let mut steps = Steps::begin("sim", Told::People);
    match args {
        ["rides"] => test::rides(&mut steps, root, policy::SIM_MANY_RIDES, policy::SIM_MANY_FULL_RIDES),
        _ => {
            steps.run("simulator", |_| test::simulator(root, args));
        }
    }
    steps.end()
}

fn bench(root: &Path, args: &[&str]) -> ExitCode {
    let args = [&["run", "--release", "--package", policy::SERVER_PACKAGE, "--", "bench"], args].concat();
    match run(cargo_at(root, &args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(status) => refuse(&format!("bench: {status}")),
    }
}

fn refuse(says: &str) -> ExitCode {
    eprintln!("{says}");
    ExitCode::FAILURE
}
