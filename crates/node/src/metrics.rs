//! A node's figures as Prometheus reads them (text format 0.0.4). Every figure is the node's, summed over its shards; a
//! label has a bounded number of values.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use link::Figure;

use crate::authorizer::Authorizer;
use crate::away::Away;
use crate::facts::{Facts, Series};
use crate::memory::resident_bytes;

pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) fn text(facts: &Facts) -> String {
    let mut page = Page(String::with_capacity(4096));
    let health = facts.health();
    page.gauge("connections", "WebSockets and streams of events that are open", health.total.into());
    page.gauge("streams", "of the connections, streams of events", facts.streams().into());
    page.gauge("users", "users with an open connection", health.users.into());
    page.gauge("rooms", "rooms that are at home on this node", health.rooms.into());
    page.gauge(
        "stale_connections",
        "connections that owe a pong or do not take what is written",
        health.stale.into(),
    );
    let (waiting, begun) = facts.held_bytes();
    page.gauge(
        "outbox_bytes",
        "bytes that wait for sockets; frames of a room are shared among them",
        waiting,
    );
    page.gauge("begun_bytes", "bytes of messages that are not whole yet", begun);
    page.gauge("ready", "1 while the node takes new connections", health.ready.into());
    page.gauge("draining", "1 while the node says goodbye", health.draining.into());
    page.gauge("memory_pressure", "what is given up for memory: 0 nothing, to 4", facts.pressure() as u64);
    page.gauge("keys", "keys that can prove a token", facts.keys.load(Ordering::Relaxed));
    page.head("connections_by_role", "open connections by their user's role", "gauge");
    for (role, count) in facts.roles() {
        page.line(&format!("connections_by_role{{role=\"{}\"}}", escaped(&role)), count.into());
    }
    let (counts, of_rooms) = facts.counts();
    page.head("turned_away_total", "sockets, requests and tokens that were turned away, by why", "counter");
    for why in Away::ALL {
        page.line(&format!("turned_away_total{{why=\"{}\"}}", why.word()), facts.turned_away(why));
    }
    let door = [
        ("accepted", facts.accepted()),
        ("out_of_descriptors", facts.out_of_descriptors()),
        ("failed_sends", facts.failed_sends()),
    ];
    let rows = door.into_iter().chain(counts.rows()).chain(of_rooms.rows());
    for (name, value) in rows {
        let name = format!("{name}_total");
        page.head(&name, &name.replace('_', " "), "counter");
        page.line(&name, value);
    }
    for Figure { name, help, value } in facts.engine_figures() {
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        let name = format!("engine_{name}");
        page.head(&name, help, kind);
        page.line(&name, value);
    }
    if let Some(authorizer) = facts.authorizer() {
        page.authorizer(authorizer);
    }
    for bridge in facts.bridges() {
        for Figure { name, help, value } in bridge.figures() {
            let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
            let name = format!("bridge_{}_{name}", bridge.name());
            page.head(&name, help, kind);
            page.line(&name, value);
        }
        for series in bridge.series() {
            page.series(bridge.name(), &series);
        }
    }
    page.process();
    page.0
}

struct Page(String);

impl Page {
    fn head(&mut self, name: &str, help: &str, kind: &str) {
        // Writing into a text cannot fail.
        let _ = writeln!(self.0, "# HELP kulkul_{name} {help}\n# TYPE kulkul_{name} {kind}");
    }

    fn line(&mut self, name: &str, value: u64) {
        let _ = writeln!(self.0, "kulkul_{name} {value}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help, "gauge");
        self.line(name, value);
    }

    fn series(&mut self, bridge: &str, series: &Series) {
        let kind = if series.name.ends_with("_total") { "counter" } else { "gauge" };
        let name = format!("bridge_{bridge}_{}", series.name);
        self.head(&name, series.help, kind);
        for (labels, value) in &series.rows {
            let labels: Vec<String> =
                labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value))).collect();
            self.line(&format!("{name}{{{}}}", labels.join(",")), *value);
        }
    }

    fn authorizer(&mut self, authorizer: &Authorizer) {
        for (name, help, value) in authorizer.tally.rows() {
            let name = format!("authorizer_{name}_total");
            self.head(&name, help, "counter");
            self.line(&name, value);
        }
        let (known, waiting) = authorizer.sizes();
        self.gauge(
            "authorizer_circuit_open",
            "1 while the authorizer is not asked",
            authorizer.is_away().into(),
        );
        self.gauge("authorizer_known", "answers of the authorizer that are kept", known as u64);
        self.gauge("authorizer_waiting", "connections and requests that wait for an answer", waiting as u64);
        let (buckets, seconds) = authorizer.tally.histogram();
        self.head("authorizer_seconds", "how long the authorizer took", "histogram");
        let all = buckets.last().map_or(0, |(_, count)| *count);
        for (end, count) in buckets {
            self.line(&format!("authorizer_seconds_bucket{{le=\"{end}\"}}"), count);
        }
        let _ = writeln!(self.0, "kulkul_authorizer_seconds_sum {seconds:.6}");
        self.line("authorizer_seconds_count", all);
    }

    /// Under the names that every dashboard knows.
    fn process(&mut self) {
        let descriptors = std::fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as u64);
        let known = [("process_resident_memory_bytes", resident_bytes()), ("process_open_fds", descriptors)];
        for (name, value) in known {
            if let Some(value) = value {
                let _ = writeln!(self.0, "# TYPE {name} gauge\n{name} {value}");
            }
        }
    }
}

/// A role comes from a token, and may hold anything.
fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_comment_or_a_name_and_a_number_and_no_name_stands_twice() {
        let facts = Facts::new(2);
        let page = text(&facts);
        let mut names = std::collections::BTreeSet::new();
        for line in page.lines().filter(|line| !line.starts_with("# ")) {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            assert!(names.insert(name.to_owned()), "{name} stands twice");
            value.parse::<u64>().unwrap_or_else(|error| panic!("{line}: {error}"));
        }
        for name in [
            "kulkul_connections",
            "kulkul_accepted_total",
            "kulkul_turned_away_total{why=\"unproven\"}",
            "kulkul_frames_sent_total",
            "kulkul_app_panics_total",
        ] {
            assert!(names.contains(name), "{name}");
        }
    }

    #[test]
    fn a_role_cannot_write_lines_of_its_own() {
        assert_eq!(escaped("a\"} 1\nkulkul_connections 7\\"), "a\\\"} 1\\nkulkul_connections 7\\\\");
    }
}
