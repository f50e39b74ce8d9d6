//! The binary: `kulkul-faults --server PATH [--small] [NAME…]`. Everything is in the library.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    faults::run(&faults::Faults::parse())
}
