//! What agents, supervisors and admins ask: to be on duty, to take, hand on and end sessions, to see the board.

use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};
use vocabulary::{Code, Payload, User, check_user};

use super::bodies::{self, Body, Pairs};
use super::{Answer, Failed, Livechat, Shared, ok};
use crate::answers::Fault;
use crate::asked::{self, Asked, Id};
use crate::door::Unsaid;

const STATUSES: [&str; 4] = ["online", "busy", "away", "offline"];

pub(super) async fn assign(State(livechat): Shared, headers: HeaderMap, body: Body) -> Answer {
    let names = [("agent_id", "agent_id"), ("reason", "reason")];
    word(&livechat, &headers, body, "assign", &names, "Session assigned").await
}

/// Whose session it is, its room knows; that it is none of the customers' calls, we do.
async fn word(
    livechat: &Livechat,
    headers: &HeaderMap,
    body: Body,
    kind: &'static str,
    names: &[(&str, &str)],
    message: &str,
) -> Answer {
    let user = livechat.staff(headers)?;
    livechat.of_body(&user, body, kind, names, message).await
}

/// As the service's own model has it, which had no call for it.
pub(super) async fn transfer(State(livechat): Shared, headers: HeaderMap, body: Body) -> Answer {
    let names = [("new_agent_id", "agent_id"), ("new_department_id", "department"), ("reason", "reason")];
    word(&livechat, &headers, body, "transfer", &names, "Session transferred").await
}

/// Old desks send a rating with it. How good it was the customer says, and theirs would be refused, so it is passed over.
pub(super) async fn close(State(livechat): Shared, headers: HeaderMap, body: Body) -> Answer {
    word(&livechat, &headers, body, "close", &[("reason", "reason")], "Session closed").await
}

pub(super) async fn message(State(livechat): Shared, headers: HeaderMap, body: Body) -> Answer {
    let user = livechat.staff(&headers)?;
    livechat.message(&user, &headers, body).await
}

pub(super) async fn own_sessions(State(livechat): Shared, headers: HeaderMap, asked: Asked) -> Answer {
    let user = livechat.user(&headers)?;
    super::visitors::listed(&livechat, &user, asked, "agent").await
}

impl Livechat {
    /// Those that the user serves; of whoever leads without groups, all.
    fn departments_of(&self, user: &User) -> Result<Vec<String>, Fault> {
        let leads = matches!(user.role.as_deref(), Some("supervisor" | "admin"));
        let serves = |name: &String| match user.groups.as_deref() {
            Some(groups) if !groups.is_empty() => {
                groups.iter().any(|group| matches!(&**group, "*") || **group == **name)
            }
            _ => leads,
        };
        let own: Vec<String> = self.departments.iter().filter(|name| serves(name)).cloned().collect();
        if own.is_empty() {
            let says = format!(
                "you serve no department: the token's role must be agent, supervisor or admin, and its groups name one of {}",
                self.departments.join(", ")
            );
            return Err(Fault::forbidden(says));
        }
        Ok(own)
    }

    /// Each department's board, as far as one may see it: all of the user's, or the one that is asked for.
    async fn boards(&self, headers: &HeaderMap, named: Option<&str>) -> Result<Vec<Value>, Failed> {
        let user = self.user(headers)?;
        let names = match named {
            Some(name) => vec![name.to_owned()],
            None => self.departments_of(&user)?,
        };
        let mut boards = Vec::new();
        for name in names {
            let room = self.department(&name, &user)?;
            boards.push(self.ask(&user, &room, "get_department").await?);
        }
        Ok(boards)
    }

    async fn says_status(&self, headers: &HeaderMap, status: Option<&str>) -> Answer {
        let user = self.user(headers)?;
        let own = self.departments_of(&user)?;
        let payload = status.map_or_else(|| json!({}), |status| json!({ "status": status }));
        let payload: Payload = payload.to_string().into();
        // One that cannot take it is no reason to be off duty in the others.
        let (mut departments, mut refused, mut first) = (Vec::new(), Vec::new(), None);
        for name in own {
            let room = self.department(&name, &user)?;
            match self.say(&user, &room, "heartbeat", payload.clone()).await.map_err(Failed::from) {
                Ok(_) => departments.push(name),
                Err(why) => {
                    refused.push(why.told(&name));
                    first.get_or_insert(why);
                }
            }
        }
        if let Some(why) = first.filter(|_| departments.is_empty()) {
            return Err(why);
        }
        let mut told =
            json!({"agent_id": user.person.id.as_str(), "status": status, "departments": departments});
        if !refused.is_empty() {
            told["refused"] = refused.into();
        }
        ok("Status updated", told)
    }
}

/// Every two or three minutes: without it, and without a socket in the department, an agent is off duty after five.
pub(super) async fn heartbeat(State(livechat): Shared, headers: HeaderMap, body: Body) -> Answer {
    let fields = bodies::read_if_any(body)?;
    let status = fields.text("status")?;
    let status = status.as_deref();
    if status.is_some_and(|status| !STATUSES.contains(&status)) {
        let says = format!("status must be one of {}", STATUSES.join(", "));
        return Err(Fault::field("status", says).into());
    }
    livechat.says_status(&headers, status).await
}

pub(super) async fn offline(State(livechat): Shared, headers: HeaderMap) -> Answer {
    livechat.says_status(&headers, Some("offline")).await
}

/// What a key of the boards lists, with the department beside each.
fn of_all<'a>(boards: &'a [Value], key: &'a str) -> impl Iterator<Item = Value> + 'a {
    boards.iter().flat_map(move |board| {
        let items = board[key].as_array().into_iter().flatten();
        items.map(|item| {
            let mut item = item.clone();
            item["department"] = board["department"].clone();
            item
        })
    })
}

fn sum(boards: &[Value], key: &str) -> u64 {
    boards.iter().filter_map(|board| board[key].as_u64()).sum()
}

async fn listed(livechat: &Livechat, headers: &HeaderMap, asked: Asked, keys: &[(&str, &str)]) -> Answer {
    let pairs = Pairs::of(asked)?;
    let (status, agent) = (pairs.one("status")?, pairs.one("agent_id")?);
    let department = pairs.one("department_id")?;
    let boards = livechat.boards(headers, department).await?;
    let mut sessions = Vec::new();
    for (key, stands) in keys.iter().filter(|(_, stands)| status.is_none_or(|status| status == *stands)) {
        sessions.extend(of_all(&boards, key).map(|mut item| {
            item["status"] = (*stands).into();
            item
        }));
    }
    // A board has as many as fit into it, and says how many there are.
    let counted = keys.iter().filter(|(_, stands)| status.is_none_or(|status| status == *stands));
    let all: u64 = counted.map(|(key, _)| sum(&boards, &format!("{key}_count"))).sum();
    let more = all > sessions.len() as u64;
    sessions.retain(|item| agent.is_none_or(|agent| item["agent"]["id"] == agent));
    let total = if agent.is_some() { sessions.len() as u64 } else { all };
    ok("Sessions", json!({ "total": total, "more": more, "sessions": sessions }))
}

pub(super) async fn waiting(State(livechat): Shared, headers: HeaderMap, asked: Asked) -> Answer {
    listed(&livechat, &headers, asked, &[("waiting", "waiting")]).await
}

pub(super) async fn active(State(livechat): Shared, headers: HeaderMap, asked: Asked) -> Answer {
    listed(&livechat, &headers, asked, &[("active", "active")]).await
}

pub(super) async fn all_sessions(State(livechat): Shared, headers: HeaderMap, asked: Asked) -> Answer {
    listed(&livechat, &headers, asked, &[("waiting", "waiting"), ("active", "active")]).await
}

/// A board has as many as fit into it, and says how many there are.
fn agents(agents: Vec<Value>, total: u64) -> Answer {
    let more = total > agents.len() as u64;
    ok("Agents", json!({ "total": total, "more": more, "agents": agents }))
}

fn with_status(boards: &[Value], status: &str) -> u64 {
    boards.iter().filter_map(|board| board["by_status"][status].as_u64()).sum()
}

pub(super) async fn online(State(livechat): Shared, headers: HeaderMap) -> Answer {
    let boards = livechat.boards(&headers, None).await?;
    let listed = of_all(&boards, "agents").filter(|agent| agent["status"] == "online").collect();
    agents(listed, with_status(&boards, "online"))
}

pub(super) async fn of_department(State(livechat): Shared, id: Id, headers: HeaderMap) -> Answer {
    let boards = livechat.boards(&headers, Some(&asked::id(id)?)).await?;
    agents(of_all(&boards, "agents").collect(), sum(&boards, "agents_count"))
}

pub(super) async fn of_agent(State(livechat): Shared, id: Id, headers: HeaderMap) -> Answer {
    let user = livechat.user(&headers)?;
    let id = asked::id(id)?;
    check_user(&id).map_err(|error| Fault::field("id", format!("the agent's id {error}")))?;
    let mut agents = Vec::new();
    for name in livechat.departments_of(&user)? {
        let room = livechat.department(&name, &user)?;
        match livechat.ask_about(&user, &room, "get_agent", &json!({ "agent_id": id })).await {
            Ok(mut agent) => {
                agent["department"] = name.into();
                agents.push(agent);
            }
            Err(Unsaid::Refused(refusal)) if refusal.code == Code::App("NOT_FOUND") => {}
            Err(why) => return Err(why.into()),
        }
    }
    match agents.is_empty() {
        true => {
            let says = format!("no department of yours knows an agent {id:?}");
            Err(Fault::new(axum::http::StatusCode::NOT_FOUND, "NOT_FOUND", says).into())
        }
        false => ok("Agent", json!({ "agents": agents })),
    }
}

pub(super) async fn figures(State(livechat): Shared, headers: HeaderMap) -> Answer {
    let boards = livechat.boards(&headers, None).await?;
    let count = |status: &str| with_status(&boards, status);
    let figures: Vec<Value> = boards
        .iter()
        .map(|board| json!({"department": board["department"], "figures": board["figures"]}))
        .collect();
    let told = json!({
        "online": count("online"), "busy": count("busy"), "away": count("away"), "offline": count("offline"),
        "waiting": sum(&boards, "waiting_count"), "active": sum(&boards, "active_count"), "departments": figures,
    });
    ok("Statistics", told)
}
