// What has happened, newest first: raids with what they came to, and the rest of the news between them.

import { make } from "../elements.js";
import { minutes } from "./clock.js";
import { TEAMS, keyOf } from "./match.js";
import { isNews, ofLine } from "./words.js";

/** @typedef {import("./match.js").State} State */
/** @typedef {import("./match.js").Line} Line */

/** @param {State} state @param {Line} line */
export function gained(state, line) {
  const sides = TEAMS.filter((key) => (line.gained?.[key] ?? 0) > 0);
  return sides.map((key) => make("span", { class: `points ${key}`, title: `${line.gained[key]} to ${state[key].name}` }, `+${line.gained[key]}`));
}

/** @param {State} state @param {Line} line @param {...(Node | null)} beside */
export function entry(state, line, ...beside) {
  const isRaid = line.raidNumber !== undefined;
  const key = isRaid ? keyOf(line.raidingTeam) : line.action?.team ? keyOf(line.action.team) : "";
  const marks = [line.doOrDie && "Do or die", line.undone && "Undone", line.aside && "Set aside"].filter((it) => it);
  return make("li", { class: `happened ${key} ${isRaid ? "raid" : "other"}${line.undone || line.aside ? " void" : ""}`, "data-number": line.number },
    make("span", { class: "when" }, isRaid ? `Raid ${line.raidNumber}` : "", line.clockMs !== null && line.clockMs !== undefined ? make("span", { class: "mark" }, minutes(line.clockMs)) : null),
    make("span", { class: "what" }, ofLine(state, line), ...marks.map((words) => make("span", { class: "tag-chip" }, String(words))),
      line.aside && make("span", { class: "hint block" }, `Counts nothing: ${line.aside}`)),
    make("span", { class: "gains" }, ...gained(state, line)), ...beside);
}

export class Timeline {
  /** @param {HTMLElement} list @param {HTMLElement} heard where the newest is read out */
  constructor(list, heard) {
    this.list = list;
    this.heard = heard;
    this.newest = 0;
    /** What each entry was made of: those that are the same stay. @type {Map<number, {text: string, element: HTMLElement}>} */
    this.made = new Map();
  }

  /** @param {State} state @param {Line[]} lines in order */
  show(state, lines) {
    const news = lines.filter((line) => isNews(line) && !line.undone);
    const entries = news.map((line) => {
      const text = JSON.stringify(line);
      const held = this.made.get(line.number);
      if (held?.text === text) return held.element;
      const element = entry(state, line);
      this.made.set(line.number, { text, element });
      return element;
    }).reverse();
    const same = entries.length === this.list.children.length && entries.every((element, index) => this.list.children[index] === element);
    if (!same) this.list.replaceChildren(...entries);
    for (const number of this.made.keys()) if (!news.some((line) => line.number === number)) this.made.delete(number);
    const last = news.at(-1);
    // What was there when one came is not news.
    if (last && this.newest > 0 && last.number > this.newest) this.heard.textContent = ofLine(state, last);
    this.newest = Math.max(this.newest, last?.number ?? 1);
  }
}
