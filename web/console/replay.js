// A slider through a room's log: at each place the server folds the log once more up to there, and this shows what the app says of the room.

import { button, make } from "../elements.js";
import { Refused, call, part } from "./ask.js";
import { count, json, table, when } from "./shown.js";

/** After the slider moved: who drags it passes many places. */
const STILL_MS = 150;

/** @param {any} at */
function state(at) {
  const rows = at.members.map((/** @type {any} */ one) => [one.user, one.may ? "yes" : "no"]);
  const authors = at.authors.map((/** @type {any} */ one) => [one.user.name || one.user.id, one.user.id, count(one.records)]);
  return [
    make("p", { class: "at-words", id: "at-words", role: "status" }, at.at === 0 ? "Before the first record." : `Record ${count(at.at)} of ${count(at.head.offset)}: ${at.kind ?? "–"}${at.author ? ` by ${at.author.name || at.author.id}` : ", by the room itself"}${at.stored ? `, ${when(at.stored)}` : ""}.`),
    !at.whole && make("p", { class: "trouble" }, at.says),
    make("h3", {}, "What a joiner was told"),
    make("p", { class: "hint" }, "As the app tells a back end that joins there: roles and secrets of others are not in it."),
    json(at.about, "What a joiner was told"),
    make("details", {}, make("summary", {}, "What a member was told after a gap"), json(at.view, "What a member was told after a gap")),
    table("Members, as far as the log knows them", ["Who", "Let in"], rows, "No record of membership names anybody."),
    table("Who had written", ["Who", "Id", "Records#"], authors, "Nobody."),
    at.whole && make("p", { class: "hint" }, at.says),
  ];
}

/** @param {import("./console.js").Panel} panel @param {HTMLElement} place @param {string} name */
export function replay(panel, place, name) {
  const slider = /** @type {HTMLInputElement} */ (make("input", { type: "range", id: "replay", min: "0", max: "0", step: "1", value: "0" }));
  const number = make("output", { for: "replay", id: "replay-at" }, "");
  const shown = make("div", { id: "replayed" });
  /** The newest place that was asked for: what comes for an older one is not shown. */
  let wanted = -1;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  const show = (/** @type {number} */ at) => panel.tries(async () => {
    wanted = at;
    slider.value = String(at);
    number.textContent = String(at);
    try {
      const told = await call(`rooms/${part(name)}/at/${at}`);
      if (panel.isOver || wanted !== at) return;
      slider.min = String(told.from - 1);
      slider.max = String(told.head.offset);
      const { scrollTop } = document.documentElement;
      shown.replaceChildren(.../** @type {Node[]} */ (state(told).filter(Boolean)));
      document.documentElement.scrollTop = scrollTop;
    } catch (error) {
      if (!(error instanceof Refused && error.status === 403)) throw error;
      shown.replaceChildren(make("p", { class: "nothing" }, `Not shown: ${error.message}.`));
    }
  });
  slider.addEventListener("input", () => {
    number.textContent = slider.value;
    clearTimeout(timer);
    timer = setTimeout(() => void show(Number(slider.value)), STILL_MS);
  });
  const step = (/** @type {number} */ by) => void show(Math.min(Number(slider.max), Math.max(Number(slider.min), Number(slider.value) + by)));
  const begin = async () => {
    const { room } = await call(`rooms/${part(name)}`);
    // A room that is not open here has an end all the same: the server says where, beyond it.
    const end = room.last?.offset ?? (await call(`rooms/${part(name)}/at/0`).catch((error) => (error.status === 403 ? null : Promise.reject(error))))?.head.offset ?? 0;
    slider.max = String(end);
    await show(end);
  };
  place.replaceChildren(make("section", { class: "part" },
    make("h2", {}, "As it was"),
    make("p", { class: "hint" }, "The log, folded once more up to any of its records. Who was only connected is in no log."),
    make("div", { class: "slider" },
      button("◀", () => step(-1), { class: "quiet", "aria-label": "One record back", "data-does": "back" }),
      make("label", { class: "out", for: "replay" }, "Record"), slider, number,
      button("▶", () => step(1), { class: "quiet", "aria-label": "One record on", "data-does": "on" })),
    shown));
  void panel.tries(begin);
}
