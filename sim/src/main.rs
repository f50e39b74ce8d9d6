//! `kulkul-sim`: many seeds, or one again.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use sim::{Outcome, Tally, run_seed};

struct Wanted {
    from: u64,
    seeds: u64,
    trace: bool,
}

const USAGE: &str = "kulkul-sim [--seeds N] [--from S] | --seed S [--trace]";
/// Seeds are independent, and a core each is all that helps.
const THREADS: u64 = 2;

fn wanted() -> Result<Wanted, String> {
    let mut wanted = Wanted { from: 1, seeds: 300, trace: false };
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
            other => return Err(format!("unknown: {other}")),
        }
    }
    Ok(wanted)
}

fn report(outcome: &Outcome) {
    let Some(violation) = &outcome.violation else { return };
    let seed = outcome.scenario.seed;
    println!("FAILED   seed {seed}: {}", violation.property);
    println!("  facts    {}", violation.facts);
    println!("{}", outcome.scenario);
    println!("  replay   cargo xtask sim --seed {seed} --trace");
}

fn main() -> ExitCode {
    let wanted = match wanted() {
        Ok(wanted) => wanted,
        Err(error) => {
            eprintln!("{error}\nusage: {USAGE}");
            return ExitCode::from(2);
        }
    };
    let began = Instant::now();
    if wanted.seeds == 1 {
        let outcome = run_seed(wanted.from, wanted.trace);
        match &outcome.violation {
            None => println!("seed {}: 0 failures\n{}", wanted.from, outcome.scenario),
            Some(_) => report(&outcome),
        }
        summary(&outcome.tally, 1, began);
        return if outcome.violation.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
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
                    let outcome = run_seed(wanted.from + index, false);
                    // Held for an addition and a line of output only.
                    let Ok(mut sum) = total.lock() else { return };
                    sum.0.add(&outcome.tally);
                    sum.1 += 1;
                    if let (Some(violation), Ok(mut failed)) = (&outcome.violation, failed.lock()) {
                        failed.push((outcome.scenario.seed, violation.property));
                        report(&outcome);
                    }
                    if sum.1 % 50 == 0 {
                        println!("{} seeds, {} steps, {} messages heard", sum.1, sum.0.steps, sum.0.heard);
                    }
                }
            });
        }
    });
    let (Ok((tally, count)), Ok(mut failed)) = (total.into_inner(), failed.into_inner()) else {
        return ExitCode::FAILURE;
    };
    summary(&tally, count, began);
    failed.sort_unstable();
    if failed.is_empty() {
        println!("0 failures");
        return ExitCode::SUCCESS;
    }
    println!("{} failures:", failed.len());
    for (seed, property) in failed {
        println!("  {seed}  {property}");
    }
    ExitCode::FAILURE
}

fn summary(tally: &Tally, seeds: u64, began: Instant) {
    println!("{seeds} seeds, {} steps, {} turns, {} messages heard", tally.steps, tally.turns, tally.heard);
    println!(
        "records applied {}, acks of duplicates {}, conflicts {}, epochs begun {}, unconfirmed {}",
        tally.records, tally.duplicates, tally.conflicts, tally.epochs, tally.unconfirmed
    );
    println!(
        "fell behind {}, turns in congestion {}, full boxes {}",
        tally.fell_behind, tally.congested, tally.returned
    );
    let faults: Vec<String> = tally.faults.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    println!("faults: {}", faults.join(", "));
    println!(
        "virtual time {} s, wall time {:.1} s",
        tally.virtual_time.as_secs(),
        began.elapsed().as_secs_f64()
    );
}
