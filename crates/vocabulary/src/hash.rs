//! A quick hash for telling things apart: never for secrets, and never alone where somebody gains from a collision.

/// FNV-1a in eight-byte steps.
pub(crate) fn hash(data: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ data.len() as u64;
    let (words, rest) = data.as_chunks::<8>();
    for word in words {
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 29;
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash
}
