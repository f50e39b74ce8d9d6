//! The score sheet of a match, to be kept: as JSON, as CSV for a table, and as a page that prints. Its sums are sums of its rows.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use node::PeerAddress;
use serde_json::{Value, json};
use vocabulary::{RoomId, User};

use super::looks::from;
use super::{Answer, Matches, Shared, read};
use crate::answers::Fault;
use crate::asked::{self, Asked, Id};
use crate::printed::{self, escaped};

/// A room gives as much of it as fits a frame; this is more than the longest match has.
const PAGES_MAX: usize = 16;
/// Of them together: an answer that is not read stays in memory, and there are many places for such.
const BYTES_MAX: usize = 2 << 20;
/// A match that goes on while its sheet is read is read again so often.
const TRIES: usize = 3;

const TEAMS: [&str; 2] = ["teamA", "teamB"];

/// A whole sheet, or the beginning of one.
struct Sheet {
    data: Value,
    rows: Vec<Value>,
    count: Value,
    next: Value,
    /// In which it came.
    pages: u32,
}

impl Matches {
    /// At one moment: what is changed while it is read would stand on it in halves.
    async fn sheet(
        &self,
        user: &Arc<User>,
        address: IpAddr,
        room: &RoomId,
        from: &Value,
    ) -> Result<Sheet, Fault> {
        for _ in 0..TRIES {
            let before = self.head(user, room).await?;
            let sheet = self.pages(user, room, from.clone()).await?;
            // Where it ends is looked up twice.
            self.owes(user, address, sheet.pages + 1);
            if self.head(user, room).await? == before {
                return Ok(sheet);
            }
        }
        Err(Fault::from(&vocabulary::Refusal::busy(1000)))
    }

    async fn pages(&self, user: &Arc<User>, room: &RoomId, from: Value) -> Result<Sheet, Fault> {
        let mut sheet =
            Sheet { data: Value::Null, rows: Vec::new(), count: Value::Null, next: from, pages: 0 };
        let mut bytes = 0;
        for _ in 0..PAGES_MAX {
            let reply = self.ask(user, room, "get_sheet", &json!({ "from": sheet.next })).await?;
            bytes += reply.len();
            sheet.pages += 1;
            let mut page = read(&reply)?;
            if let Value::Array(rows) = page["sheet"].take() {
                sheet.rows.extend(rows);
            }
            (sheet.data, sheet.count, sheet.next) =
                (page["data"].take(), page["count"].take(), page["next"].take());
            if sheet.next.is_null() || bytes > BYTES_MAX {
                break;
            }
        }
        Ok(sheet)
    }
}

pub(super) async fn as_asked(
    State(matches): Shared,
    id: Id,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
    headers: HeaderMap,
    asked: Asked,
) -> Answer {
    let user = matches.viewer(&headers, address)?;
    let pairs = asked::pairs(asked)?;
    let room = matches.room(id, &user)?;
    let format = asked::one(&pairs, "format")?.filter(|format| !format.is_empty());
    if let Some(other) = format.filter(|format| !matches!(*format, "json" | "csv")) {
        let says = format!("format must be json or csv, got {other:?}; a page that prints is sheet.html");
        return Err(Fault::field("format", says));
    }
    let sheet = matches.sheet(&user, address, &room, &from(&pairs)?).await?;
    if format == Some("csv") {
        let name = format!("attachment; filename=\"{}.csv\"", room.name().replace(':', "-"));
        let fields = [
            (CONTENT_TYPE, "text/csv; charset=utf-8"),
            (CACHE_CONTROL, "no-store"),
            (CONTENT_DISPOSITION, &name),
        ];
        return Ok((fields, csv(&sheet.rows)).into_response());
    }
    let Sheet { data, rows, count, next, .. } = sheet;
    let told = json!({ "data": data, "sheet": rows, "count": count, "next": next });
    Ok(([(CACHE_CONTROL, "no-store")], Json(told)).into_response())
}

pub(super) async fn page(
    State(matches): Shared,
    id: Id,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
    headers: HeaderMap,
    asked: Asked,
) -> Answer {
    let user = matches.viewer(&headers, address)?;
    let room = matches.room(id, &user)?;
    let sheet = matches.sheet(&user, address, &room, &from(&asked::pairs(asked)?)?).await?;
    Ok(printed::page(printed_sheet(&sheet)))
}

const COLUMNS: [&str; 14] = [
    "number",
    "at",
    "clockMs",
    "type",
    "raidNumber",
    "raidingTeam",
    "raiderId",
    "defenderIds",
    "result",
    "bonus",
    "pointsA",
    "pointsB",
    "tieBreak",
    "note",
];

fn ids(value: &Value) -> String {
    let ids = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    ids.collect::<Vec<&str>>().join(" ")
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What each side has gained by it; nothing where it does not stand.
fn gained(row: &Value) -> [u64; 2] {
    TEAMS.map(|team| row["gained"][team].as_u64().unwrap_or(0))
}

fn note(row: &Value) -> String {
    match (&row["undone"], row["aside"].as_str()) {
        (Value::Bool(true), _) => "undone".to_owned(),
        (_, Some(why)) => format!("set aside: {why}"),
        _ => String::new(),
    }
}

fn cells(row: &Value) -> [String; COLUMNS.len()] {
    let [a, b] = gained(row);
    let is = |value: &Value| if value == &Value::Bool(true) { "yes".to_owned() } else { String::new() };
    [
        plain(&row["number"]),
        plain(&row["at"]),
        plain(&row["clockMs"]),
        plain(&row["action"]["type"]),
        plain(&row["raidNumber"]),
        plain(&row["raidingTeam"]),
        plain(&row["raiderId"]),
        ids(&row["defenderIds"]),
        plain(&row["result"]),
        is(&row["bonusTaken"]),
        a.to_string(),
        b.to_string(),
        is(&row["tieBreak"]),
        note(row),
    ]
}

/// RFC 4180. What a table would take for a formula is a text, whoever wrote it.
fn csv(rows: &[Value]) -> String {
    let mut out = COLUMNS.join(",");
    out.push_str("\r\n");
    for row in rows {
        let cell = |cell: &String| {
            let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
            let cell = format!("{}{cell}", if formula { "'" } else { "" });
            match cell.contains([',', '"', '\n', '\r']) {
                true => format!("\"{}\"", cell.replace('"', "\"\"")),
                false => cell,
            }
        };
        out.push_str(&cells(row).iter().map(cell).collect::<Vec<String>>().join(","));
        out.push_str("\r\n");
    }
    out
}

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c1a17;background:#fff}\
    h1{font-size:1.4rem;margin-bottom:.2rem}h2{font-size:1.1rem}table{border-collapse:collapse;width:100%;margin:1rem 0}\
    th,td{padding:.2rem .5rem;border-bottom:1px solid #ddd6c8;text-align:left;vertical-align:top;overflow-wrap:anywhere}\
    td.n,th.n{text-align:right}tr{break-inside:avoid}tfoot td{font-weight:600}.gone td{color:#8a8377;text-decoration:line-through}\
    @media print{body{margin:0}}";

fn printed_sheet(sheet: &Sheet) -> String {
    let data = &sheet.data;
    let text = |value: &Value| escaped(&plain(value));
    let title = text(&data["title"]);
    let score = TEAMS.map(|team| format!("{} {}", text(&data[team]["name"]), text(&data[team]["score"])));
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style><h1>{title}</h1><p>{} : {} \u{2013} {}</p>",
        score[0],
        score[1],
        text(&data["phase"]),
    );
    for team in TEAMS {
        players(&mut page, data, team);
    }
    let _ = write!(
        page,
        "<h2>Actions</h2><table><thead><tr><th class=\"n\">No.</th><th>Action</th><th>Raid</th><th>Raider</th><th>Defenders</th>\
         <th>Result</th><th class=\"n\">{}</th><th class=\"n\">{}</th></tr></thead><tbody>",
        text(&data["teamA"]["name"]),
        text(&data["teamB"]["name"])
    );
    let named = |id: &str| match data["playerStats"][id]["name"].as_str() {
        Some(name) if !name.is_empty() => escaped(name),
        _ => escaped(id),
    };
    let mut sums = [0, 0];
    for row in &sheet.rows {
        let (note, gained) = (note(row), gained(row));
        // Points of a tie-break decide, and are no part of the score.
        if row["tieBreak"] != true {
            (0..2).for_each(|side| sums[side] += gained[side]);
        }
        let defenders = row["defenderIds"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let defenders: Vec<String> = defenders.map(named).collect();
        let _ = write!(
            page,
            "<tr{}><td class=\"n\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td></tr>",
            if note.is_empty() { "" } else { " class=\"gone\"" },
            text(&row["number"]),
            text(&row["action"]["type"]),
            text(&row["raidNumber"]),
            row["raiderId"].as_str().map(named).unwrap_or_default(),
            defenders.join(", "),
            text(&row["result"]),
            escaped(&note),
            gained[0],
            gained[1],
        );
    }
    let _ = write!(
        page,
        "</tbody><tfoot><tr><td colspan=\"6\">Together</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr></tfoot></table>",
        sums[0], sums[1]
    );
    if !sheet.next.is_null() {
        let _ = write!(page, "<p>It goes on at number {}.</p>", text(&sheet.next));
    }
    page.push_str("</html>");
    page
}

fn players(page: &mut String, data: &Value, team: &str) {
    let text = |value: &Value| escaped(&plain(value));
    let _ = write!(
        page,
        "<h2>{}</h2><table><thead><tr><th>Player</th><th class=\"n\">Raids</th><th class=\"n\">Raid points</th>\
         <th class=\"n\">Tackle points</th><th class=\"n\">Points</th></tr></thead><tbody>",
        text(&data[team]["name"])
    );
    let all = data["playerStats"].as_object();
    for player in all.into_iter().flatten().map(|(_, player)| player).filter(|player| player["team"] == team)
    {
        let _ = write!(
            page,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            text(&player["name"]),
            text(&player["totalRaids"]),
            text(&player["raidPoints"]),
            text(&player["defencePoints"]),
            text(&player["totalPoints"]),
        );
    }
    page.push_str("</tbody></table>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_table_would_run_and_what_would_break_a_row_is_a_text() {
        let row = json!({"number": 1, "action": {"type": "raid"}, "raiderId": "=1+1", "defenderIds": ["a,b", "c\"d"],
            "gained": {"teamA": 2, "teamB": 0}});
        let text = csv(&[row]);
        let line = text.lines().nth(1).expect("a row");
        assert_eq!(line, "1,,,raid,,,'=1+1,\"a,b c\"\"d\",,,2,0,,");
    }

    #[test]
    fn names_are_text_on_the_page_and_its_sums_are_those_of_its_rows() {
        let data = json!({"title": "<b>", "phase": "ended", "teamA": {"name": "A & B", "score": 3}, "teamB": {"name": "C", "score": 1},
            "playerStats": {"p1": {"name": "<script>", "team": "teamA", "totalRaids": 1}}});
        let row = |gained: [u64; 2], tie: bool| {
            json!({"number": 1, "action": {"type": "raid"}, "raiderId": "p1",
            "gained": {"teamA": gained[0], "teamB": gained[1]}, "tieBreak": tie})
        };
        let rows = vec![row([3, 0], false), row([0, 1], false), row([5, 5], true)];
        let page = printed_sheet(&Sheet { data, rows, count: 3.into(), next: Value::Null, pages: 1 });
        for there in [
            "<h1>&lt;b&gt;</h1>",
            "A &amp; B 3 : C 1",
            "&lt;script&gt;",
            "<td class=\"n\">3</td><td class=\"n\">1</td></tr></tfoot>",
        ] {
            assert!(page.contains(there), "{there} in {page}");
        }
        assert!(!page.contains("<script"));
    }
}
