//! The deployment's record: what every node of it must agree on, kept by the engine and compared at every start.

use std::fmt;
use std::str::FromStr;

use engine::Format;
use vocabulary::SLICES;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    pub slices: u16,
    /// In which all nodes write, whatever newer ones they could.
    pub format: Format,
    /// Drawn when the record is first made: the first epoch of every room carries it, so that an engine that lost everything
    /// is told from the one it was.
    pub start_tag: u32,
    /// Fingerprints of the keys that prove tokens, sorted. Nodes that share none would refuse each other's users.
    pub keys: Vec<String>,
}

/// Whether two nodes must have a key in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameKeys {
    Must,
    /// Nobody else uses the engine.
    NeedNot,
    /// All rooms that were to come are there: what says that they are on their way is replaced.
    Arrived,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disagreement {
    Slices {
        kept: u16,
    },
    Newer {
        kept: Format,
    },
    Older {
        kept: Format,
    },
    Keys,
    /// Rooms were being brought in, and the end never came.
    Arriving,
    /// Rooms are to be brought in, and there is something else already.
    Occupied,
    Unreadable,
}

impl Deployment {
    pub fn of_this_build(start_tag: u32, mut keys: Vec<String>) -> Deployment {
        keys.sort();
        Deployment { slices: SLICES, format: Format::NEWEST, start_tag, keys }
    }

    /// What is to be kept from now on, if this build can go on with what is kept.
    pub fn joins(&self, kept: &Deployment, keys: SameKeys) -> Result<Deployment, Disagreement> {
        if kept.slices != self.slices {
            return Err(Disagreement::Slices { kept: kept.slices });
        }
        if kept.format == Format::ARRIVING && self.format != Format::ARRIVING {
            return if keys == SameKeys::Arrived { Ok(self.clone()) } else { Err(Disagreement::Arriving) };
        }
        // What is brought, and whether it is the same as before, stands in the place of the keys.
        if self.format == Format::ARRIVING {
            let is_same = kept.format == Format::ARRIVING && kept.keys == self.keys;
            return if is_same { Ok(kept.clone()) } else { Err(Disagreement::Occupied) };
        }
        if kept.format > self.format {
            return Err(Disagreement::Newer { kept: kept.format });
        }
        if kept.format < Format::OLDEST {
            return Err(Disagreement::Older { kept: kept.format });
        }
        let strangers = !self.keys.iter().any(|key| kept.keys.contains(key));
        if keys == SameKeys::Must && strangers && !(self.keys.is_empty() && kept.keys.is_empty()) {
            return Err(Disagreement::Keys);
        }
        // A newer build writes what the others read, and what it could go back from.
        Ok(Deployment { format: kept.format, start_tag: kept.start_tag, ..self.clone() })
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Disagreement::Slices { kept } => {
                write!(f, "it was made for {kept} slices, and this build has {SLICES}: use a build that has {kept}")
            }
            Disagreement::Newer { kept } => write!(
                f,
                "it is written in format {}, and this build reads up to {}: use the build that wrote it, or a newer one",
                kept.0,
                Format::NEWEST.0
            ),
            Disagreement::Older { kept } => write!(
                f,
                "it is written in format {}, and this build reads from {} on: use the build that wrote it, or begin anew in another \
                 folder, database or prefix",
                kept.0,
                Format::OLDEST.0
            ),
            Disagreement::Keys => f.write_str(
                "its other nodes prove tokens by other keys: give every node the same `secret` (or `auth` keys); to change one, \
                 configure the old and the new on all of them first",
            ),
            Disagreement::Arriving => f.write_str(
                "a restore or a copy into it was begun and did not come to its end: run the same one again, or empty it first",
            ),
            Disagreement::Occupied => f.write_str(
                "it holds something else already, and rooms are brought into an empty one only: empty it, or choose another folder, database or prefix",
            ),
            Disagreement::Unreadable => {
                f.write_str("it holds something else where the deployment's record should be: choose another `engine` or prefix")
            }
        }
    }
}

/// One line: `kulkul-deployment format=2 slices=1024 start=7 keys=a,b`.
impl fmt::Display for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Deployment { slices, format, start_tag, keys } = self;
        let (keys, format) = (keys.join(","), format.0);
        write!(f, "kulkul-deployment format={format} slices={slices} start={start_tag} keys={keys}")
    }
}

impl FromStr for Deployment {
    type Err = Disagreement;
    fn from_str(text: &str) -> Result<Deployment, Disagreement> {
        let mut words = text.trim_end().split(' ');
        let mut value = |name: &str| {
            let word = words.next().and_then(|word| word.strip_prefix(name));
            word.ok_or(Disagreement::Unreadable)
        };
        value("kulkul-deployment")?;
        let number = |text: &str| text.parse().map_err(|_| Disagreement::Unreadable);
        let format = value("format=")?.parse().map(Format).map_err(|_| Disagreement::Unreadable)?;
        let slices = number(value("slices=")?)?;
        let start_tag = value("start=")?.parse().map_err(|_| Disagreement::Unreadable)?;
        let keys = value("keys=")?.split(',').filter(|key| !key.is_empty()).map(str::to_owned).collect();
        Ok(Deployment { slices, format, start_tag, keys })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(keys: &[&str]) -> Deployment {
        Deployment::of_this_build(7, keys.iter().map(|key| (*key).to_owned()).collect())
    }

    #[test]
    fn a_record_reads_back_from_its_line() {
        for deployment in [with(&[]), with(&["b", "a"])] {
            assert_eq!(deployment.to_string().parse(), Ok(deployment));
        }
        assert_eq!("something else".parse::<Deployment>(), Err(Disagreement::Unreadable));
    }

    #[test]
    fn a_build_goes_on_with_what_it_can_read_and_share() {
        let kept = Deployment { start_tag: 3, ..with(&["a", "b"]) };
        for (name, mine, kept, keys, expected) in [
            ("the same", with(&["a", "b"]), kept.clone(), SameKeys::Must, Ok(3)),
            ("one key in common", with(&["b", "c"]), kept.clone(), SameKeys::Must, Ok(3)),
            ("no key in common", with(&["c"]), kept.clone(), SameKeys::Must, Err(Disagreement::Keys)),
            ("alone", with(&["c"]), kept.clone(), SameKeys::NeedNot, Ok(3)),
            ("no keys at all", with(&[]), with(&[]), SameKeys::Must, Ok(7)),
            (
                "other slices",
                with(&["a"]),
                Deployment { slices: 8, ..kept.clone() },
                SameKeys::Must,
                Err(Disagreement::Slices { kept: 8 }),
            ),
            (
                "a newer format",
                with(&["a"]),
                Deployment { format: Format(9), ..kept.clone() },
                SameKeys::Must,
                Err(Disagreement::Newer { kept: Format(9) }),
            ),
            (
                "an older format",
                Deployment { format: Format(9), ..with(&["a"]) },
                Deployment { format: Format::OLDEST, ..kept.clone() },
                SameKeys::Must,
                Ok(3),
            ),
            (
                "a format that is too old",
                with(&["a"]),
                Deployment { format: Format(1), ..kept },
                SameKeys::Must,
                Err(Disagreement::Older { kept: Format(1) }),
            ),
        ] {
            assert_eq!(mine.joins(&kept, keys).map(|joined| joined.start_tag), expected, "{name}");
        }
    }

    #[test]
    fn a_build_that_joins_writes_the_format_that_is_kept() {
        let kept = Deployment { format: Format::OLDEST, ..with(&["a"]) };
        let newer = Deployment { format: Format(9), ..with(&["a"]) };
        assert_eq!(newer.joins(&kept, SameKeys::Must).map(|joined| joined.format), Ok(Format::OLDEST));
    }

    #[test]
    fn where_rooms_arrive_nobody_serves_until_they_are_there() {
        let marked = |what: &str| Deployment { format: Format::ARRIVING, ..with(&[what]) };
        let (mine, kept) = (with(&["a"]), marked("copy-1"));
        assert_eq!(mine.joins(&kept, SameKeys::Must), Err(Disagreement::Arriving));
        assert_eq!(mine.joins(&kept, SameKeys::Arrived), Ok(mine.clone()));
        let before = Deployment { start_tag: 3, ..kept.clone() };
        assert_eq!(marked("copy-1").joins(&before, SameKeys::Must), Ok(before), "the same once more");
        for occupied in [marked("copy-2"), with(&["a"])] {
            assert_eq!(kept.joins(&occupied, SameKeys::Must), Err(Disagreement::Occupied));
        }
    }
}
