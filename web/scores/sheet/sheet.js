// The score sheet: who played, what each has come to, and every action with its points, so that it adds up. To print, and as CSV.

import { $, make, tell } from "../../elements.js";
import { csv, rows, sums } from "../csv.js";
import { keyed, matchId, watcher, watches } from "../door.js";
import { Follow } from "../follow.js";
import { connected, shown } from "../../link.js";
import { TEAMS } from "../match.js";
import { note, wantsToken } from "../note.js";
import { Open } from "../open.js";
import { awards, players, sources } from "../tables.js";
import { PROFILES, ofPhase, ofRefusal, ofResult } from "../words.js";

const DAY = new Intl.DateTimeFormat([], { dateStyle: "long", timeStyle: "short" });
const id = matchId();

/** @type {Follow} */
let follow;
/** @type {string} */
let file = "";
let wanted = false;

/** @param {"in" | "open"} how with a token, or without one */
function watch(how) {
  const page = { meanwhile: "The sheet is as it was when the connection went.", anew: () => (watcher.keep(null), location.reload()) };
  const client = how === "in" ? connected(watcher, page) : shown(new Open(String(id)), page);
  follow = new Follow(client, String(id), { lines: true, changed: () => {
    if (wanted) return;
    wanted = true;
    requestAnimationFrame(() => ((wanted = false), render()));
  } });
  client.connect();
  follow.join();
}

function render() {
  const { state, match, refusal } = follow;
  if (refusal && !state) return missing(refusal);
  if (!state || (state.actions > 0 && !match.whole)) return;
  $("note").hidden = true;
  $("sheet").hidden = false;
  const lines = match.inOrder;
  const list = rows(state, lines);
  const sum = sums(list);
  const begun = lines[0]?.at;
  tell("title", state.title);
  document.title = `${state.title} · score sheet`;
  tell("about", [state.event, PROFILES[state.profile] ?? state.profile, state.knockout ? "knock-out" : "league", begun && DAY.format(new Date(begun)), `match ${state.matchId}`].filter((it) => it).join(" · "));
  tell("final", `${state.teamA.name} ${state.teamA.score} – ${state.teamB.score} ${state.teamB.name}. ${state.result ? ofResult(state) : ofPhase(state.phase)}.`);
  $("sources").replaceChildren(sources(state));
  $("awards").replaceChildren(awards(state));
  $("squads").replaceChildren(...TEAMS.map((key) => players(state, key)));
  const heads = [["#", ""], ["Raid", "figure"], ["Clock", "figure"], ["Raider", ""], ["What", "what"], [state.teamA.name, "figure"], [state.teamB.name, "figure"], ["Score", "figure"]];
  $("rows-head").replaceChildren(make("tr", {}, ...heads.map(([words, kind]) => make("th", { scope: "col", class: kind || null }, words))));
  $("rows").replaceChildren(...list.map((row) => make("tr", { class: row.mark ? "void" : null, "data-row": row.number },
    make("td", { class: "figure" }, String(row.number)), make("td", { class: "figure" }, row.raid), make("td", { class: "figure" }, row.clock), make("td", {}, row.raider), make("td", { class: "what" }, row.what, row.mark && make("span", { class: "tag-chip" }, row.mark), row.tie && make("span", { class: "tag-chip" }, "tie-break")),
    ...row.gained.map((points) => make("td", { class: "figure" }, points > 0 ? `+${points}` : "")), make("td", { class: "figure" }, row.score.join("–")))));
  $("rows-sum").replaceChildren(make("tr", {}, make("th", { scope: "row", colspan: 5 }, "Sum of the rows"), ...sum.map((points, side) => make("td", { class: "figure", id: `sum-${side}` }, String(points))), make("td", { class: "figure" }, sum.join("–"))));
  const adds = sum[0] === state.teamA.score && sum[1] === state.teamB.score;
  tell("adds", adds ? "The rows add up to the score." : `The rows add up to ${sum.join("–")}, the score is ${state.teamA.score}–${state.teamB.score}: load the page again.`);
  file = csv(state, list);
  for (const name of ["csv", "print"]) /** @type {HTMLButtonElement} */ ($(name)).disabled = false;
}

/** @param {import("../note.js").Refusal} refusal */
function missing(refusal) {
  const unknown = refusal.code === "NOT_INITIALIZED" || refusal.code === "NOT_FOUND";
  if (unknown) return note("There is no such match yet", `Nobody has created “${id}”.`, { again: () => follow.join(), create: true });
  const asks = (follow.client instanceof Open || watcher.now?.pasted) && wantsToken(refusal);
  if (asks) return note(asks.title, asks.words, { key: true });
  note("This sheet does not open", ofRefusal(refusal), { again: () => follow.join() });
}

async function begin() {
  if (id === null) return note("Which match?", "The address names none: it ends with ?id= and the name of a match.");
  /** @type {HTMLAnchorElement} */ ($("note-create")).href = `../organize/?id=${encodeURIComponent(id)}`;
  $("print").addEventListener("click", () => print());
  $("csv").addEventListener("click", () => {
    // With a mark in front, by which spreadsheets know the letters.
    const address = URL.createObjectURL(new Blob(["\ufeff", file], { type: "text/csv" }));
    const link = /** @type {HTMLAnchorElement} */ (make("a", { href: address, download: `${id}.csv` }));
    link.click();
    URL.revokeObjectURL(address);
  });
  keyed(watcher, () => {
    $("note").hidden = true;
    follow.leave();
    follow.client.disconnect();
    watch("in");
  });
  try {
    watch(await watches());
  } catch {
    note("The server does not answer", "Nothing is wrong with your link. Look again in a moment.", { again: () => location.reload() });
  }
}

begin();
