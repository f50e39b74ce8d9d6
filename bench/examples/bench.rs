//! The bench without the server around it: `cargo run --release -p kulkul-bench --example bench -- fan-out --of bun`.

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
struct Alone {
    #[command(flatten)]
    bench: kulkul_bench::Bench,
}

fn main() -> ExitCode {
    kulkul_bench::run(Alone::parse().bench)
}
