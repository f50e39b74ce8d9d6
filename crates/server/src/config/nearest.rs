//! What somebody probably meant. Compares spellings and nothing else.

/// Longer words are nobody's slip of the finger.
const WORD_CHARS_MAX: usize = 64;

/// The known key that is nearest to a written one, if any is near. The last word counts for itself, because a key is as
/// often in the wrong table as it is misspelt.
pub(super) fn key<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    nearest(known, |candidate| {
        let whole = near(written, candidate);
        let moved = near(&last(written), &last(candidate)).map(|distance| distance + 1);
        whole.into_iter().chain(moved).min()
    })
}

pub(super) fn variable<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    nearest(known, |candidate| near(written, candidate))
}

fn nearest<'a>(
    known: impl Iterator<Item = &'a str>,
    distance: impl Fn(&str) -> Option<usize>,
) -> Option<&'a str> {
    let ranked = known.filter_map(|candidate| Some((distance(candidate)?, candidate)));
    ranked.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// The distance, if a third of the word or less is wrong.
fn near(written: &str, known: &str) -> Option<usize> {
    let word = written.strip_prefix("KULKUL_").unwrap_or(written);
    let allowed = (word.chars().count() / 3).max(1);
    Some(distance(written, known)?).filter(|distance| *distance <= allowed)
}

/// Letters to add, drop, change or swap with their neighbour; three lines of the well-known table at a time.
fn distance(left: &str, right: &str) -> Option<usize> {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    if left.len().max(right.len()) > WORD_CHARS_MAX {
        return None;
    }
    let mut two_above = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (i, letter) in left.iter().enumerate() {
        let mut line = vec![i + 1];
        for (j, other) in right.iter().enumerate() {
            let changed = above[j] + usize::from(letter != other);
            let least = changed.min(above[j + 1] + 1).min(line[j] + 1);
            let swapped = i > 0 && j > 0 && left[i - 1] == *other && *letter == right[j - 1];
            line.push(if swapped { least.min(two_above[j - 1] + 1) } else { least });
        }
        two_above = std::mem::replace(&mut above, line);
    }
    above.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known =
            ["listen", "secret", "shards", "limits.burst", "websocket.allowed_origins", "tls", "auth.keys"];
        for (written, meant) in [
            ("listn", Some("listen")),
            ("secrte", Some("secret")),
            ("paht", None),
            ("LISTEN", None),
            ("burst", Some("limits.burst")),
            ("limits.brust", Some("limits.burst")),
            ("limit.burst", Some("limits.burst")),
            ("allowed_origins", Some("websocket.allowed_origins")),
            ("tsl", Some("tls")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(key(written, known.into_iter()), meant, "{written}");
        }
    }

    #[test]
    fn the_common_beginning_of_variables_makes_none_near() {
        let known = ["KULKUL_LISTEN", "KULKUL_LIMITS__BURST"];
        for (written, meant) in [
            ("KULKUL_LISTN", Some("KULKUL_LISTEN")),
            ("KULKUL_LIMITS_BURST", Some("KULKUL_LIMITS__BURST")),
            ("KULKUL_COLOUR", None),
        ] {
            assert_eq!(variable(written, known.into_iter()), meant, "{written}");
        }
    }
}
