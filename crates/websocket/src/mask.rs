//! The mask of client frames (RFC 6455, 5.3). It hides nothing; it keeps old proxies from reading frames as
//! HTTP.

/// Masks, or unmasks, in place. Written in chunks of eight so that the compiler turns it into vector
/// instructions.
#[inline]
pub(crate) fn apply(mask: [u8; 4], bytes: &mut [u8]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, tail) = bytes.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= key;
    }
}

/// The mask as it stands after `taken` bytes of the payload.
pub(crate) fn advanced(mut mask: [u8; 4], taken: usize) -> [u8; 4] {
    mask.rotate_left(taken % 4);
    mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_like_the_formula_of_the_rfc_at_any_length_and_split() {
        let mask = [0x12, 0x34, 0x56, 0x78];
        for length in 0..70 {
            let plain: Vec<u8> = (0..length).map(|index| index as u8).collect();
            let expected: Vec<u8> = plain.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]).collect();
            for split in 0..=plain.len() {
                let mut masked = plain.clone();
                let (left, right) = masked.split_at_mut(split);
                apply(mask, left);
                apply(advanced(mask, split), right);
                assert_eq!(masked, expected);
            }
        }
    }
}
