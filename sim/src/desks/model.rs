//! What a department's log comes to, by a model that is too simple to be wrong: a list of who waits, and whose each is.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::Value;

use super::SESSIONS_MAX;
use crate::ledger::Entry;

#[derive(Clone, Debug, Default)]
struct Known {
    waits: Value,
    agent: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    sessions: BTreeMap<String, Known>,
    agents: BTreeMap<String, String>,
}

fn priority(waits: &Value) -> usize {
    let names = ["low", "normal", "high", "urgent"];
    names.iter().position(|name| waits["priority"] == *name).unwrap_or(1)
}

impl Known {
    /// What is in front is the least.
    fn rank<'a>(&'a self, session: &'a str) -> (bool, Reverse<usize>, i64, &'a str) {
        let since = self.waits["since"].as_i64().unwrap_or_default();
        (self.waits["head"] != true, Reverse(priority(&self.waits)), since, session)
    }

    fn may_go_to(&self, agent: &str) -> bool {
        self.waits["avoid"] != agent
    }
}

impl Model {
    fn load(&self, agent: &str) -> usize {
        self.sessions.values().filter(|known| known.agent.as_deref() == Some(agent)).count()
    }

    pub(crate) fn record(&mut self, entry: &Entry) -> Result<(), String> {
        let session = entry.said("session");
        match &*entry.kind {
            "waits" => {
                let waits: Value = serde_json::from_str(&entry.body).map_err(|error| error.to_string())?;
                let before = self.sessions.remove(&session);
                let agent = before.filter(|before| before.waits["from"] == waits["from"]);
                let agent = agent.and_then(|before| before.agent);
                self.sessions.insert(session, Known { waits, agent });
            }
            "left" | "released" => drop(self.sessions.remove(&session)),
            "given" => self.given(&session, &entry.said("agent_id"), &entry.said("how"))?,
            "agent_status" => {
                let body: Value = serde_json::from_str(&entry.body).map_err(|error| error.to_string())?;
                let field = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                self.agents.insert(field(&body["agent"]["id"]), field(&body["status"]));
            }
            "agent_lost" => drop(self.agents.insert(entry.said("agent_id"), "offline".into())),
            _ => {}
        }
        Ok(())
    }

    fn given(&mut self, session: &str, agent: &str, how: &str) -> Result<(), String> {
        let Some(known) = self.sessions.get(session) else {
            return Err(format!("{session} was given to {agent} and does not wait"));
        };
        if how != "admin" && known.agent.is_some() {
            return Err(format!("{session} was given to {agent}, and is {:?}'s", known.agent));
        }
        if self.agents.get(agent).is_none_or(|status| status == "offline") {
            return Err(format!("{session} was given to {agent}, who is not on duty"));
        }
        let in_front = self.sessions.iter().find(|(other, it)| {
            it.agent.is_none() && it.rank(other) < known.rank(session) && it.may_go_to(agent)
        });
        if let Some((other, _)) = in_front.filter(|_| how == "auto") {
            return Err(format!("{session} was given to {agent} before {other}"));
        }
        if let Some(known) = self.sessions.get_mut(session) {
            known.agent = Some(agent.to_owned());
        }
        match self.load(agent) {
            load if load > SESSIONS_MAX => Err(format!("{agent} has {load} sessions")),
            _ => Ok(()),
        }
    }

    /// In the end all agents are there and say that they are.
    pub(crate) fn nobody_waits_in_vain(&self) -> Result<(), String> {
        for (agent, status) in &self.agents {
            if status != "online" {
                return Err(format!("{agent} is here, and {status}"));
            }
            let waits =
                self.sessions.iter().find(|(_, known)| known.agent.is_none() && known.may_go_to(agent));
            if let Some((session, _)) = waits.filter(|_| self.load(agent) < SESSIONS_MAX) {
                return Err(format!("{session} waits, and {agent} has a free place"));
            }
        }
        Ok(())
    }

    /// Who wait, and who are somebody's.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let waiting = self.sessions.values().filter(|known| known.agent.is_none()).count();
        (waiting as u64, (self.sessions.len() - waiting) as u64)
    }

    pub(crate) fn sessions(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.sessions.iter().map(|(session, known)| (session.as_str(), known.agent.as_deref()))
    }
}
