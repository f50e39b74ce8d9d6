//! Each scenario that has a name, with the seeds that it names itself; `kulkul-sim --scenario` runs many.

use sim::{NAMED, find, run_scenario};

fn holds(name: &str) {
    let named = find(name).unwrap_or_else(|| panic!("no scenario is called {name}"));
    let failed: Vec<String> = (1..=named.seeds)
        .filter_map(|seed| run_scenario((named.build)(seed), false).violation.map(|found| (seed, found)))
        .map(|(seed, found)| {
            format!("seed {seed}: {found}\n  cargo xtask sim --scenario {name} --seed {seed} --trace")
        })
        .collect();
    assert!(failed.is_empty(), "{name}: {}\n{}", named.says, failed.join("\n"));
}

/// A test a scenario, so that they run side by side and each is seen by its name.
macro_rules! scenarios {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            holds($name);
        })*

        #[test]
        fn none_is_left_out() {
            let names: Vec<&str> = NAMED.iter().map(|named| named.name).collect();
            assert_eq!(names, [$($name),*]);
        }
    };
}

scenarios! {
    kills: "R01-kills",
    restarts: "R04-restarts",
    outage: "R05-outage",
    partition: "R06-partition",
    unheard: "R06-unheard",
    unanswered: "R06-unanswered",
    pause: "R07-pause",
    reload: "R10-reload",
    tabs: "R11-tabs",
    drain: "R20-drain",
    fan_in: "R23-fan-in",
    presence: "R25-presence",
}

/// The page that says what each of them promises.
const PAGE: &str = include_str!("../../docs/simulation.md");

#[test]
fn a_scenario_promises_something_beside_what_always_holds() {
    for named in NAMED {
        let scenario = (named.build)(1);
        assert!(!scenario.expects.is_empty(), "{}", named.name);
        assert!(named.seeds > 0, "{}", named.name);
        assert!(PAGE.contains(&format!("| `{}` |", named.name)), "{} is on no page", named.name);
    }
}
