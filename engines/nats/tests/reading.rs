//! A room's past, page by page, as somebody reads it who catches up: what a page costs, and what it holds.

mod world;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use conformance::words::{A, B, batch, general, go_on};
use engine::{Answer, Appended, Batch, Question, Read};
use serde_json::json;
use vocabulary::{Epoch, Seen};
use world::desk::{Desk, operate};

/// Records of one message: what comes while an append is on its way leaves together.
const TOGETHER: usize = 20;

fn texts(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{name}{number}")).collect()
}

/// So many messages, of so many records each.
fn fill(desk: &mut Desk, mut seen: Seen, texts: &[String], together: usize) -> Seen {
    for (number, chunk) in texts.chunks(together).enumerate() {
        let records: Vec<&str> = chunk.iter().map(String::as_str).collect();
        let asked = Batch { number: number as u64, ..batch(seen, &[&records]) };
        let outcome = desk.append(&general(), asked);
        assert!(matches!(outcome, Appended::Stored { .. }), "{outcome:?}");
        seen = go_on(seen, &records);
    }
    seen
}

fn page(desk: &mut Desk, epoch: Epoch, after: u64, limit: u32) -> Vec<(u64, String)> {
    let ticket = 1000 + after;
    let question = Question::Read { room: general(), epoch, after, limit, ticket };
    let is_it = |answer: &Answer| matches!(answer, Answer::Read { ticket: its, .. } if *its == ticket);
    let Answer::Read { outcome: Read::Records { records, .. }, .. } = desk.ask(&question, is_it) else {
        panic!("{:?}", desk.kept)
    };
    let text = |data: &[u8]| String::from_utf8(data.to_vec()).expect("text");
    records.iter().map(|stored| (stored.offset, text(&stored.data))).collect()
}

#[test]
fn who_reads_on_is_not_searched_for_again() {
    let config = world::config(&world::shared());
    let mut desk = Desk::new(&config, A);
    let start = desk.start();
    desk.load(&general());
    let texts = texts("r", 1000 * TOGETHER);
    fill(&mut desk, start, &texts, TOGETHER);
    // Whole pages, and such as the reader had no place for all of.
    for (from, step, pages) in [(1000, 64, 50), (10_000, 5, 10)] {
        let before = desk.figure("nats_calls_total");
        for after in (from..).step_by(step).take(pages) {
            let records = page(&mut desk, start.position.epoch, after, 64);
            let expected = (after + 1..).zip(texts.iter().skip(after as usize).cloned());
            assert!(records.iter().cloned().eq(expected.take(64)), "after {after}: {records:?}");
        }
        let calls = desk.figure("nats_calls_total") - before;
        // Seven or eight a page, and ten more where each is searched for.
        assert!(calls < pages as u64 * 12, "{calls} calls for {pages} pages in steps of {step}");
    }
}

/// An operator restored an earlier state of the stream under nodes that had read more of it, and others went on from there.
#[test]
fn a_log_that_was_put_back_is_read_as_it_is_now() {
    let url = world::shared();
    let config = world::config(&url);
    let stream = format!("{}_LOG", config.prefix.replace('.', "_"));
    let mut desk = Desk::new(&config, A);
    let start = desk.start();
    desk.load(&general());
    let before = texts("before", 100);
    fill(&mut desk, start, &before, 10);
    assert_eq!(page(&mut desk, start.position.epoch, 60, 20).len(), 20);
    // The deployment's record, and the first 30 of the room's.
    let kept: Vec<_> = (1..=4)
        .map(|sequence| operate(&url, &format!("STREAM.MSG.GET.{stream}"), json!({ "seq": sequence })))
        .collect();
    let made = operate(&url, &format!("STREAM.INFO.{stream}"), json!({}));
    operate(&url, &format!("STREAM.DELETE.{stream}"), json!({}));
    operate(&url, &format!("STREAM.CREATE.{stream}"), made["config"].clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = async_nats::connect(&url).await.expect("connected");
        for got in kept {
            let text = |field: &str| got["message"][field].as_str().expect("a message").to_owned();
            let data = STANDARD.decode(text("data")).expect("base64");
            client.request(text("subject"), data.into()).await.expect("stored");
        }
    });
    let records: Vec<&str> = before[..30].iter().map(String::as_str).collect();
    let after = texts("after", 70);
    fill(&mut Desk::new(&config, B), go_on(start, &records), &after, after.len());
    let expected = (61..).zip(after[30..50].to_vec());
    assert!(page(&mut desk, start.position.epoch, 60, 20).into_iter().eq(expected));
    assert_eq!(desk.figure("nats_damaged_total"), 0);
}
