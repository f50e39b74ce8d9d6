//! What a match does by itself: its clock speaks when a raid, a half, a time-out or a suspension is over, and the list of matches is
//! told how it stands. Timers are read off the game; what is not due on the newest state comes to nothing.

use app::{Decision, Duty, Step};
use serde_json::{Value, json};
use vocabulary::{Now, Payload, Refusal, RoomId, StepId, Wall};

use super::course::Course;
use super::records::{self as kinds};
use super::{Contest, Untold};
use crate::sport;
use crate::wire::written;

fn alarm(course: &Course) -> Option<(i64, sport::Alarm)> {
    course.game().alarm().filter(|_| course.has_room_for_clock() && !course.is_over())
}

pub(crate) fn due(contest: &Contest) -> Option<(Wall, Duty)> {
    let (at, _) = alarm(contest.course.as_ref()?)?;
    Some((Wall(at), Duty { name: "clock".into(), payload: Payload::new() }))
}

pub(super) fn decide(now: Now, contest: &Contest) -> Decision {
    let alarm = contest.course.as_ref().and_then(alarm).filter(|(at, _)| *at <= now.wall.0);
    let Some((_, alarm)) = alarm else { return Decision::nothing() };
    let body = kinds::Acted { action: sport::said_by_clock(alarm), action_id: None, by: None };
    Decision::record(kinds::ACTION, written(&body))
}

pub(crate) fn list_room(app: &str) -> RoomId {
    RoomId::new(app, crate::LIST)
}

impl Contest {
    /// What the list holds of it; what does not change there is not told. Of a match that is not public: nothing, ever. A score
    /// is told with the phase, and not by itself: whoever wants each point is in the match.
    pub(super) fn listed(&self) -> Option<Value> {
        let course = self.course.as_ref().filter(|course| course.public)?;
        let mut summary = sport::summary(course.game());
        if !course.is_over() {
            for team in ["teamA", "teamB"] {
                if let Some(team) = summary.get_mut(team).and_then(Value::as_object_mut) {
                    team.remove("score");
                }
            }
        }
        Some(summary)
    }

    fn told(&self) -> Option<Value> {
        let course = self.course.as_ref().filter(|course| course.public)?;
        let mut told = sport::summary(course.game());
        told["title"] = course.title.clone().into();
        told["event"] = json!(course.event);
        told["profile"] = course.setup.profile.name.clone().into();
        told["createdAt"] = course.created_at.into();
        told["over"] = course.is_over().into();
        Some(told)
    }
}

/// One open step at most, the newest.
pub(crate) fn steps(contest: &Contest) -> Vec<Step> {
    let step = contest.untold.zip(contest.told()).map(|(untold, told)| Step {
        position: untold.position,
        number: 0,
        room: list_room(contest.room.app()),
        kind: "match_stands".into(),
        payload: told.to_string().into(),
    });
    step.into_iter().collect()
}

/// Also a refusal closes it: it would be refused for ever. What is no answer leaves it open.
pub(super) fn settled(contest: &Contest, step: &StepId, result: &Result<Payload, Refusal>) -> Decision {
    let is_it = |untold: &Untold| untold.position == step.position;
    let open = contest.untold.filter(is_it);
    let answered = match result {
        Ok(_) => true,
        Err(refusal) => refusal.code.is_clients_fault(),
    };
    match open {
        Some(open) if answered => {
            Decision::record(kinds::TOLD, written(&kinds::Told { position: open.position.to_string() }))
        }
        _ => Decision::nothing(),
    }
}
