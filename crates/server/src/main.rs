//! The `kulkul` binary. What it does is in the library beside it, so that tests can ask parts of it.

use std::process::ExitCode;

fn main() -> ExitCode {
    server::main()
}
