//! The `kulkul` binary. What it does is in the library beside it, so that tests can ask parts of it.

use std::process::ExitCode;

/// Gives back to the machine what a flood has left, and keeps idle connections small: docs/decisions/0015.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    server::main()
}
