//! Spreading tries over time. It waits for nothing itself.

use std::time::Duration;

/// Evenly spread over all it can be. Where the system has no chance to give, the clock must do: it only spreads tries.
pub fn chance() -> u64 {
    getrandom::u64().unwrap_or_else(|_| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        u64::from(now.subsec_nanos()).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

/// Full jitter over a range that doubles, from a few milliseconds on.
pub fn pause(tries: u32, most: Duration) -> Duration {
    let range = Duration::from_millis(10).saturating_mul(2_u32.saturating_pow(tries.min(16))).min(most);
    range.mul_f64((chance() >> 11) as f64 / (1_u64 << 53) as f64)
}
