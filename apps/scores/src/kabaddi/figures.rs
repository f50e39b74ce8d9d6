//! Who has done best. Derived from a game, and never part of it.

use super::game::Game;
use super::mat::Player;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Award {
    pub player_id: String,
    pub name: String,
    pub points: u16,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Awards {
    pub mvp: Option<Award>,
    pub best_raider: Option<Award>,
    pub best_defender: Option<Award>,
}

/// Of several with as many points the one with the fewest raids and catches, then the one who stands first in the squads.
fn best(game: &Game, points: impl Fn(&Player) -> u16) -> Option<Award> {
    let players = game.sides.iter().flat_map(|side| &side.players);
    let tried = |player: &Player| player.figures.raids + player.figures.tackles;
    let best = players.filter(|player| points(player) > 0).reduce(|best, player| {
        let (theirs, his) = (points(best), points(player));
        let better = his > theirs || (his == theirs && tried(player) < tried(best));
        if better { player } else { best }
    })?;
    Some(Award { player_id: best.id.clone(), name: best.name.clone(), points: points(best) })
}

pub(crate) fn awards(game: &Game) -> Awards {
    Awards {
        mvp: best(game, |player| player.figures.total_points()),
        best_raider: best(game, |player| player.figures.raid_points()),
        best_defender: best(game, |player| player.figures.tackle_points),
    }
}
