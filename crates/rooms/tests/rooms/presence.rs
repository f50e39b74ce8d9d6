//! What the engine answers of who is present tells of a moment that is over: what was heard since counts, and nobody seems
//! to leave who is there.

use std::time::Duration;

use engine::{Answer, Followed, Nodes, Present, Question};
use rooms::Limits;
use vocabulary::{Delivery, Notice, Person, UserId};

use crate::desk::{Desk, ME, OTHER, room};

fn bo() -> Person {
    Person { id: UserId::new("bo"), name: "Bo".into() }
}

impl Desk {
    fn among_others() -> Desk {
        Desk::with(Nodes::Many, Limits::default())
    }

    /// And Bo is there, at the other node.
    fn with_bo() -> Desk {
        let mut desk = Desk::among_others();
        let news = desk.bo_has(1);
        desk.hear(news);
        assert_eq!(desk.moves(), ["Bo came"]);
        desk
    }

    /// Bo's connections on the other node are that many now, and this is the news of it.
    fn bo_has(&mut self, count: u32) -> Vec<Answer> {
        self.engine_tells(ME, OTHER, Question::Present { room: room(), person: bo(), count })
    }

    /// News were missed, and the room asks for everything.
    fn looks(&mut self) -> Question {
        self.hear(vec![Answer::Missed]);
        self.follow().expect("the room looks again")
    }

    fn follow(&mut self) -> Option<Question> {
        self.take(|question| matches!(question, Question::Follow { .. }))
    }

    fn answer(&mut self, question: Question) {
        let answers = self.engine_says(question);
        self.hear(answers);
    }

    /// The same, by an engine that knows of nobody.
    fn answer_without_anybody(&mut self, question: Question) {
        let mut answers = self.engine_says(question);
        for answer in &mut answers {
            if let Answer::Followed { outcome: Followed::Continues { present, .. }, .. } = answer {
                *present = Vec::<Present>::new();
            }
        }
        self.hear(answers);
    }

    /// Who came and who went since the last time, as the members were told, once all windows are over.
    fn moves(&mut self) -> Vec<String> {
        for _ in 0..4 {
            self.wait(Duration::from_millis(300));
        }
        let mut moves = Vec::new();
        for delivery in self.told.drain(..) {
            if let Delivery::Notice { notice: Notice::Presence { news, .. }, .. } = delivery {
                moves.extend(news.joined.iter().map(|person| format!("{} came", person.name)));
                moves.extend(news.left.iter().map(|person| format!("{} went", person.name)));
            }
        }
        moves
    }
}

#[test]
fn who_comes_while_everybody_is_asked_for_stays() {
    let mut desk = Desk::among_others();
    let look = desk.looks();
    let old = desk.engine_says(look);
    let news = desk.bo_has(1);
    desk.hear(news);
    desk.hear(old);
    assert_eq!(desk.moves(), ["Bo came"]);
    desk.wait(Duration::from_secs(3));
    let look = desk.follow().expect("whom the answer did not know is asked for again");
    desk.answer(look);
    assert_eq!(desk.moves(), [""; 0]);
    desk.wait(Duration::from_secs(60));
    assert_eq!(desk.follow(), None, "there is nothing to doubt any more");
}

#[test]
fn who_goes_while_everybody_is_asked_for_does_not_come_back() {
    let mut desk = Desk::with_bo();
    let look = desk.looks();
    let old = desk.engine_says(look);
    let news = desk.bo_has(0);
    desk.hear(news);
    desk.hear(old);
    assert_eq!(desk.moves(), ["Bo went"]);
}

#[test]
fn whose_node_ends_while_everybody_is_asked_for_does_not_come_back() {
    let mut desk = Desk::among_others();
    desk.bo_has(1);
    let look = desk.looks();
    let old = desk.engine_says(look);
    desk.hear(vec![Answer::Ended { incarnation: OTHER }]);
    desk.hear(old);
    assert_eq!(desk.moves(), [""; 0]);
}

#[test]
fn whom_an_engine_forgot_that_restarted_goes_when_nobody_says_them_again() {
    let mut desk = Desk::with_bo();
    let look = desk.looks();
    desk.answer_without_anybody(look);
    assert_eq!(desk.moves(), [""; 0], "their node may be about to say them again");
    desk.wait(Duration::from_secs(3));
    let look = desk.follow().expect("the room looks again");
    desk.answer_without_anybody(look);
    assert_eq!(desk.moves(), ["Bo went"]);
}

#[test]
fn whom_an_engine_forgot_that_restarted_stays_when_their_node_says_them_again() {
    let mut desk = Desk::with_bo();
    let look = desk.looks();
    desk.answer_without_anybody(look);
    let news = desk.bo_has(1);
    desk.hear(news);
    desk.wait(Duration::from_secs(3));
    if let Some(look) = desk.follow() {
        desk.answer_without_anybody(look);
    }
    assert_eq!(desk.moves(), [""; 0]);
}

#[test]
fn news_missed_while_an_answer_was_on_its_way_are_made_up_for_by_the_next() {
    let mut desk = Desk::among_others();
    let look = desk.looks();
    let old = desk.engine_says(look);
    desk.bo_has(1);
    desk.hear(vec![Answer::Missed]);
    assert_eq!(desk.follow(), None, "an answer is on its way");
    desk.hear(old);
    let look = desk.follow().expect("the answer may be from before");
    desk.answer(look);
    assert_eq!(desk.moves(), ["Bo came"]);
}

#[test]
fn a_leave_that_is_heard_twice_is_told_once() {
    let mut desk = Desk::with_bo();
    let gone = desk.bo_has(0);
    desk.hear(gone.clone());
    assert_eq!(desk.moves(), ["Bo went"]);
    desk.hear(gone);
    assert_eq!(desk.moves(), [""; 0]);
}

#[test]
fn an_answer_to_an_older_asking_is_not_taken_for_the_answer_to_a_newer_one() {
    let mut desk = Desk::with_bo();
    let first = desk.looks();
    desk.wait(Duration::from_secs(1));
    let again = desk.follow().expect("asked again");
    let (one, other) = (desk.engine_says(first), desk.engine_says(again));
    desk.hear(one);
    let news = desk.bo_has(0);
    desk.hear(news);
    assert_eq!(desk.moves(), ["Bo went"]);
    let newest = desk.looks();
    desk.hear(other);
    assert_eq!(desk.moves(), [""; 0], "that was read when Bo was here");
    desk.answer(newest);
    assert_eq!(desk.moves(), [""; 0]);
}
