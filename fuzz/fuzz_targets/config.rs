//! Any text as a config file: sound, or all that is wrong with it in words that name the file and are not endless.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(faults) = server::check_config(text) {
        assert!(faults.contains("kulkul.toml"), "{faults}");
        assert!(faults.len() < 4096 + text.len() * 64, "{} bytes of faults", faults.len());
    }
});
