//! `kulkul-sim`: many seeds, or one again.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use sim::{Crowd, NAMED, Named, Outcome, Tally, run_desks, run_rides, run_scenario, run_seed};

struct Wanted {
    from: u64,
    seeds: u64,
    trace: bool,
    desks: bool,
    rides: Option<Crowd>,
    scenarios: Vec<&'static Named>,
}

const USAGE: &str =
    "kulkul-sim [--scenario NAME]... [--seeds N] [--from S] | [--scenario NAME] --seed S [--trace] | --desks … | --rides [--full] … | --list
  a scenario's name may be its beginning; `--scenario all` is every one of them; --desks: worlds of support
  --rides: worlds of rides, with 10 drivers and 30 passengers, or with --full 200 and 1,000";
/// Seeds are independent, and a core each is all that helps.
const THREADS: u64 = 2;

fn wanted() -> Result<Wanted, String> {
    let mut wanted =
        Wanted { from: 1, seeds: 300, trace: false, desks: false, rides: None, scenarios: Vec::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let text = words.next().ok_or_else(|| format!("{word} needs a number"))?;
            text.parse::<u64>().map_err(|error| format!("{word} {text}: {error}"))
        };
        match word.as_str() {
            "--seeds" => wanted.seeds = number()?,
            "--from" => wanted.from = number()?,
            "--seed" => (wanted.from, wanted.seeds) = (number()?, 1),
            "--trace" => wanted.trace = true,
            "--desks" => wanted.desks = true,
            "--rides" => wanted.rides = wanted.rides.or(Some(Crowd::Small)),
            "--full" => wanted.rides = Some(Crowd::Full),
            "--scenario" => {
                let name = words.next().ok_or("--scenario needs a name")?;
                let found = NAMED.iter().filter(|named| name == "all" || named.name.starts_with(&name));
                let before = wanted.scenarios.len();
                wanted.scenarios.extend(found);
                if wanted.scenarios.len() == before {
                    return Err(format!("no scenario is called {name}"));
                }
            }
            "--list" => {
                NAMED.iter().for_each(|named| println!("{:<16} {}", named.name, named.says));
                std::process::exit(0);
            }
            other => return Err(format!("unknown: {other}")),
        }
    }
    Ok(wanted)
}

/// One run of a scenario by name, or of what the seed chooses.
fn run(named: Option<&Named>, seed: u64, tracing: bool) -> Outcome {
    match named {
        Some(named) => run_scenario((named.build)(seed), tracing),
        None => run_seed(seed, tracing),
    }
}

fn report(named: Option<&Named>, outcome: &Outcome) {
    let Some(violation) = &outcome.violation else { return };
    let seed = outcome.scenario.seed;
    println!("FAILED   seed {seed}: {}", violation.property);
    println!("  facts    {}", violation.facts);
    println!("{}", outcome.scenario);
    let scenario = named.map(|named| format!("--scenario {} ", named.name)).unwrap_or_default();
    println!("  replay   cargo xtask sim {scenario}--seed {seed} --trace");
}

fn main() -> ExitCode {
    let wanted = match wanted() {
        Ok(wanted) => wanted,
        Err(error) => {
            eprintln!("{error}\nusage: {USAGE}");
            return ExitCode::from(2);
        }
    };
    if wanted.desks {
        return if many_desks(&wanted) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    if let Some(crowd) = wanted.rides {
        return if many_rides(&wanted, crowd) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    if wanted.scenarios.is_empty() {
        return if many(None, &wanted) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let failed = wanted.scenarios.iter().filter(|named| !many(Some(named), &wanted)).count();
    println!("{} scenarios, {} seeds each, {failed} failed", wanted.scenarios.len(), wanted.seeds);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The same, of worlds of support.
fn many_desks(wanted: &Wanted) -> bool {
    let (began, mut total, mut failed, mut given) = (Instant::now(), Tally::default(), 0, 0);
    for seed in wanted.from..wanted.from + wanted.seeds {
        match run_desks(seed, wanted.trace) {
            Ok(served) => {
                given += served.given;
                total.add(&served.tally);
            }
            Err(error) => {
                failed += 1;
                println!("FAILED   seed {seed}: {error}");
                println!("  replay   cargo xtask sim --desks --seed {seed} --trace");
            }
        }
    }
    summary(&total, wanted.seeds, began);
    println!("sessions given {given}, {failed} failures");
    failed == 0
}

/// The same, of worlds of rides.
fn many_rides(wanted: &Wanted, crowd: Crowd) -> bool {
    let (began, mut total, mut failed) = (Instant::now(), Tally::default(), 0);
    let (mut matched, mut arrived, mut paid, mut cancelled, mut repeated) = (0, 0, 0, 0, 0);
    for seed in wanted.from..wanted.from + wanted.seeds {
        match run_rides(seed, crowd, wanted.trace) {
            Ok(ridden) => {
                matched += ridden.matched;
                arrived += ridden.arrived;
                paid += ridden.paid;
                cancelled += ridden.cancelled;
                repeated += ridden.repeated;
                total.add(&ridden.tally);
            }
            Err(error) => {
                failed += 1;
                let full = if crowd == Crowd::Full { "--full " } else { "" };
                println!("FAILED   seed {seed}: {error}");
                println!("  replay   cargo xtask sim --rides {full}--seed {seed} --trace");
            }
        }
        let done = seed + 1 - wanted.from;
        if done.is_multiple_of(100) {
            println!("{done} worlds, {matched} rides, {failed} failures");
        }
    }
    summary(&total, wanted.seeds, began);
    println!(
        "rides {matched}, at their end {arrived}, paid {paid}, cancelled {cancelled}, points said again or late {repeated}, {failed} failures"
    );
    failed == 0
}

/// Whether all seeds passed.
fn many(named: Option<&Named>, wanted: &Wanted) -> bool {
    let began = Instant::now();
    if wanted.seeds == 1 {
        let outcome = run(named, wanted.from, wanted.trace);
        match &outcome.violation {
            None => println!("seed {}: 0 failures\n{}", wanted.from, outcome.scenario),
            Some(_) => report(named, &outcome),
        }
        summary(&outcome.tally, 1, began);
        return outcome.violation.is_none();
    }
    let (next, total, failed) =
        (AtomicU64::new(0), Mutex::new((Tally::default(), 0)), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= wanted.seeds {
                        return;
                    }
                    let outcome = run(named, wanted.from + index, false);
                    // Held for an addition and a line of output only.
                    let Ok(mut sum) = total.lock() else { return };
                    sum.0.add(&outcome.tally);
                    sum.1 += 1;
                    if let (Some(violation), Ok(mut failed)) = (&outcome.violation, failed.lock()) {
                        failed.push((outcome.scenario.seed, violation.property));
                        report(named, &outcome);
                    }
                    if named.is_none() && sum.1 % 50 == 0 {
                        println!("{} seeds, {} steps, {} messages heard", sum.1, sum.0.steps, sum.0.heard);
                    }
                }
            });
        }
    });
    let (Ok((tally, count)), Ok(mut failed)) = (total.into_inner(), failed.into_inner()) else {
        return false;
    };
    failed.sort_unstable();
    match named {
        Some(named) => {
            let (failures, seconds) = (failed.len(), began.elapsed().as_secs_f64());
            let virtual_seconds = tally.virtual_time.as_secs();
            println!(
                "{:<16} {count} seeds, {failures} failures, {} heard, {virtual_seconds} s in {seconds:.1} s",
                named.name, tally.heard
            );
        }
        None => {
            summary(&tally, count, began);
            println!("{} failures{}", failed.len(), if failed.is_empty() { "" } else { ":" });
        }
    }
    for (seed, property) in &failed {
        println!("  {seed}  {property}");
    }
    failed.is_empty()
}

fn summary(tally: &Tally, seeds: u64, began: Instant) {
    println!("{seeds} seeds, {} steps, {} turns, {} messages heard", tally.steps, tally.turns, tally.heard);
    println!(
        "records applied {}, acks of duplicates {}, conflicts {}, epochs begun {}, unconfirmed {}",
        tally.records, tally.duplicates, tally.conflicts, tally.epochs, tally.unconfirmed
    );
    println!(
        "fell behind {}, turns in congestion {}, full boxes {}, calls {}, most questions in front of a full link {}",
        tally.fell_behind, tally.congested, tally.returned, tally.calls, tally.unasked_max
    );
    let faults: Vec<String> = tally.faults.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    println!("faults: {}", faults.join(", "));
    println!(
        "virtual time {} s, wall time {:.1} s",
        tally.virtual_time.as_secs(),
        began.elapsed().as_secs_f64()
    );
}
