//! A shard's way to the engine, and back: slow, lossy, cut in one direction or both. A fault is only made where the
//! contract allows it, which depends on what the engine says of its news.

use std::collections::VecDeque;
use std::time::Duration;

use engine::{Answer, Asked, Question};
use vocabulary::Tick;

use crate::mutant::Mutant;
use crate::random::Random;
use crate::scenario::{News, Scenario};
use crate::tally::Tally;

/// What gets through no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    Both,
    /// What is asked does not arrive; answers and news do.
    Questions,
    /// What is asked is done; neither answers nor news come back.
    Answers,
}

#[derive(Default)]
pub(super) struct Link {
    questions: VecDeque<(Tick, Asked)>,
    answers: VecDeque<(Tick, Answer)>,
    question_last: Tick,
    answer_last: Tick,
    /// Its node is gone.
    pub(super) dead: bool,
    no_questions_until: Tick,
    no_answers_until: Tick,
    /// Something may have been missed, and the shard is to be told so when the link is whole again.
    missed: bool,
}

impl Link {
    pub(super) fn cut(&mut self, cut: Cut, until: Tick) {
        if cut != Cut::Answers {
            self.no_questions_until = self.no_questions_until.max(until);
        }
        if cut != Cut::Questions {
            self.no_answers_until = self.no_answers_until.max(until);
        }
        self.missed = true;
    }

    pub(super) fn mend(&mut self, now: Tick) {
        (self.no_questions_until, self.no_answers_until) = (now, now);
    }

    pub(super) fn is_whole(&self, now: Tick) -> bool {
        !self.dead && self.no_questions_until <= now && self.no_answers_until <= now
    }

    /// Once, when the link is whole again after a cut: whether the shard is to look again.
    pub(super) fn owes_missed(&mut self, now: Tick) -> bool {
        self.is_whole(now) && std::mem::take(&mut self.missed)
    }

    pub(super) fn die(&mut self) {
        self.answers.clear();
        self.dead = true;
    }

    /// The process at the other end is gone, and with it all that was on its way.
    pub(super) fn lose_all(&mut self) {
        self.questions.clear();
        self.answers.clear();
    }

    pub(super) fn is_full(&self, scenario: &Scenario) -> bool {
        self.questions.len() >= scenario.link_places
    }

    /// When the question arrives; nothing if it never does.
    pub(super) fn ask(&mut self, now: Tick, asked: Asked, way: &mut Way<'_>) -> Option<Tick> {
        let is_cut = self.no_questions_until > now;
        let lost = match way.scenario.news {
            News::Reliable => has_answer(&asked.question) && (is_cut || way.loses_question()),
            // It notices what it drops in a cut, and nothing else is dropped unnoticed but what is asked again.
            News::Noticed => is_cut || (has_answer(&asked.question) && way.loses_question()),
            News::MayDrop => is_cut || way.loses_question(),
        };
        if lost && !way.faultless {
            way.tally.fault("question lost");
            return None;
        }
        let from = if self.dead { now } else { now.max(self.no_questions_until) };
        let at = (from + way.delay()).max(self.question_last);
        self.question_last = at;
        self.questions.push_back((at, asked));
        Some(at)
    }

    pub(super) fn arrived(&mut self, now: Tick) -> Option<Asked> {
        self.questions.pop_front_if(|(at, _)| *at <= now).map(|(_, asked)| asked)
    }

    /// When what is said will be heard; nothing if it is lost.
    pub(super) fn tell(&mut self, now: Tick, mut answer: Answer, way: &mut Way<'_>) -> Option<Tick> {
        if self.dead {
            return None;
        }
        if way.faultless {
            let at = (now.max(self.no_answers_until) + Duration::from_micros(100)).max(self.answer_last);
            return Some(self.push(at, answer));
        }
        if way.scenario.mutant == Some(Mutant::AckInTheDark) && matches!(answer, Answer::Appended { .. }) {
            return Some(self.push(now, answer));
        }
        let (news, is_cut) = (is_news(&answer), self.no_answers_until > now);
        match (news, way.scenario.news) {
            (false, _) if is_cut || way.loses(way.scenario.answer_lost) => {
                way.tally.fault("answer lost");
                return None;
            }
            (true, News::MayDrop) if is_cut || way.loses(way.scenario.news_lost) => {
                way.tally.fault("news lost");
                return None;
            }
            (true, News::Noticed) if is_cut => {
                way.tally.fault("news lost");
                return None;
            }
            // A full box: the news is dropped, and what is said in its place is that some was.
            (true, News::Noticed) if way.loses(way.scenario.news_lost) => {
                way.tally.fault("news missed");
                if way.scenario.mutant == Some(Mutant::MissedSwallowed) {
                    return None;
                }
                answer = Answer::Missed;
            }
            _ => {}
        }
        let mut at = now.max(self.no_answers_until) + Duration::from_micros(100) + way.delay();
        if way.loses(way.scenario.answer_late) {
            way.tally.fault("answer late");
            at = at + way.random.millis(300, 4000);
        }
        let may_vary = news && way.scenario.news == News::MayDrop;
        let at = at.max(self.answer_last);
        if may_vary && way.loses(way.scenario.news_repeated) {
            way.tally.fault("news repeated");
            self.push(at, answer.clone());
        }
        self.push(at, answer);
        if may_vary && way.loses(way.scenario.news_reordered) && self.answers.len() > 1 {
            way.tally.fault("news reordered");
            let last = self.answers.len() - 1;
            let other = way.random.index(last);
            let moved = self.answers[other].1.clone();
            self.answers[other].1 = std::mem::replace(&mut self.answers[last].1, moved);
        }
        Some(at)
    }

    fn push(&mut self, at: Tick, answer: Answer) -> Tick {
        self.answer_last = at;
        self.answers.push_back((at, answer));
        at
    }

    pub(super) fn take(&mut self, now: Tick) -> Option<Answer> {
        self.answers.pop_front_if(|(at, _)| *at <= now).map(|(_, answer)| answer)
    }
}

/// What a link draws on.
pub(crate) struct Way<'a> {
    pub scenario: &'a Scenario,
    pub random: &'a mut Random,
    pub tally: &'a mut Tally,
    /// Nothing goes wrong any more.
    pub faultless: bool,
}

impl Way<'_> {
    fn loses(&mut self, rate: u32) -> bool {
        self.random.per_mille(rate)
    }

    fn loses_question(&mut self) -> bool {
        self.random.per_mille(self.scenario.question_lost)
    }

    fn delay(&mut self) -> Duration {
        if self.faultless {
            return self.scenario.engine_delay;
        }
        let usual = self.scenario.engine_delay;
        self.random.between(usual / 2, usual * 3 / 2)
    }
}

fn has_answer(question: &Question) -> bool {
    matches!(
        question,
        Question::Attend { .. }
            | Question::Follow { .. }
            | Question::Append { .. }
            | Question::Read { .. }
            | Question::BeginEpoch { .. }
    )
}

fn is_news(answer: &Answer) -> bool {
    matches!(
        answer,
        Answer::Grown { .. }
            | Answer::Present { .. }
            | Answer::Ended { .. }
            | Answer::Soft { .. }
            | Answer::Due { .. }
            | Answer::EpochBegan { .. }
            | Answer::ClaimLost { .. }
            | Answer::Missed
    )
}
