//! The `kulkul` binary: reads configuration, and is the only place that names concrete apps, engines and bridges.

fn main() {}
