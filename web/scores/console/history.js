// The log as its officials see it: every action with what it came to and who said it, to undo, to bring back, and to correct. What a
// change would set aside is said in words before it is done.

import { button, make } from "../../elements.js";
import { keyOf, otherOf } from "../match.js";
import { shirtOf } from "../mat.js";
import { squad } from "../tables.js";
import { entry } from "../timeline.js";
import { WAYS_OUT, broken, named, ofLine, ofRefusal } from "../words.js";

/** @typedef {import("../match.js").State} State */
/** @typedef {import("../match.js").Line} Line */
/** @typedef {import("../follow.js").Follow} Follow */
/** @typedef {(word: string, payload: Record<string, any>) => Promise<boolean>} Amend */

/** An official's reason is a line on a sheet. */
const REASON_MAX = 200;
/** Of a log: more is asked for in pages. */
const AUDIT_PAGES_MAX = 8;
/** The clock says these, and follows itself. */
const OF_CLOCK = ["raid_time", "half_over", "time_out_over", "suspension_over"];

/** @param {Line} line */
export const isAmendable = (line) => !OF_CLOCK.includes(line.action?.type ?? "") && line.action?.type !== "end_match";

/** The last that a person said and that counts. @param {Line[]} lines */
export const lastOf = (lines) => lines.findLast((line) => !line.undone && !line.aside && isAmendable(line));

/** @param {string} id @param {string} title */
function opened(id, title) {
  const dialog = /** @type {HTMLDialogElement} */ (make("dialog", { id, class: "wide", "aria-labelledby": `${id}-title` }, make("h2", { id: `${id}-title` }, title)));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  return dialog;
}

/** Undo, redo or correct; asks before it sets others aside. @param {Follow} follow @param {(words: string) => void} tell @param {() => string} name an actionId @returns {Amend} */
export function amending(follow, tell, name) {
  return async (word, payload) => {
    const actionId = name();
    try {
      await follow.say(word, { ...payload, actionId });
      return true;
    } catch (error) {
      const refusal = /** @type {any} */ (error);
      if (refusal.code !== "BREAKS") {
        tell(ofRefusal(refusal, follow.state));
        return false;
      }
      if (!(await agreed(follow, refusal.message))) return false;
      return follow.say(word, { ...payload, actionId, force: true }).then(() => true, (again) => (tell(ofRefusal(again, follow.state)), false));
    }
  };
}

/** @param {Follow} follow @param {string} message @returns {Promise<boolean>} */
function agreed(follow, message) {
  const { list, more } = broken(message);
  const state = /** @type {State} */ (follow.state);
  const rows = list.map(({ number, why }) => {
    const line = follow.match.lines.get(number);
    return make("li", { class: "happened other" }, make("span", { class: "when" }, line?.raidNumber ? `Raid ${line.raidNumber}` : `No. ${number}`),
      make("span", { class: "what" }, line ? ofLine(state, line) : "", make("span", { class: "hint block" }, named(state, why))));
  });
  const dialog = opened("breaks-dialog", "Later actions would not be possible any more");
  let answer = false;
  dialog.append(
    make("p", {}, "The rest of the match is played anew from here. By the rules these could not have happened then:"), make("ol", { class: "happenings" }, ...rows),
    more > 0 ? make("p", {}, `And ${more} more.`) : "",
    make("p", {}, "If you go on, they are set aside: they stay in the log, count nothing, are marked on the sheet, and count again as soon as a further correction makes them possible."),
    make("div", { class: "row end" }, button("Leave it as it was", () => dialog.close(), { class: "quiet" }), button("Go on, set them aside", () => ((answer = true), dialog.close()), { class: "grave", id: "force" })));
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(answer)));
}

/** @param {Follow} follow @param {Amend} amend */
export function history(follow, amend) {
  const dialog = opened("history-dialog", "Everything that was said");
  const list = make("ol", { class: "happenings", reversed: true });
  /** Who said which, once it is known. @type {Map<number, string>} */
  const by = new Map();
  const render = () => {
    const { state, match } = follow;
    if (!state) return;
    const after = async (/** @type {Promise<boolean>} */ done) => {
      if (await done) await told();
    };
    list.replaceChildren(...match.inOrder.reverse().map((line) => {
      const may = isAmendable(line);
      const does = line.undone
        ? [button("Bring back", () => void after(amend("redo", { number: line.number })), { class: "quiet" })]
        : [may && line.raidNumber !== undefined && button("Correct…", () => void after(correct(follow, line, amend)), { class: "quiet", "data-correct": line.number }),
          may && button("Undo", () => void after(amend("undo", { number: line.number })), { class: "quiet", "data-undo": line.number })];
      return entry(state, line, make("span", { class: "row doings" }, by.has(line.number) && make("span", { class: "mark" }, String(by.get(line.number))), ...does));
    }));
  };
  dialog.append(make("p", { class: "hint" }, "A change stays at its place and time, and everything after it is played anew. Who changed what stands in the audit."), list,
    make("div", { class: "row end" }, button("Close", () => dialog.close())));
  /** Without a connection it stays as it is. */
  const told = () => Promise.all([follow.whole(), said(follow, by)]).catch(() => {}).then(render);
  render();
  void told();
  dialog.showModal();
}

/** @param {Follow} follow @param {Map<number, string>} by */
async function said(follow, by) {
  by.clear();
  let from = /** @type {number | null} */ (1);
  for (let pages = 0; from !== null && pages < AUDIT_PAGES_MAX; pages += 1) {
    const { payload } = await follow.room.ask("get_audit", { from });
    for (const { what, number, by: who } of payload.audit) {
      const name = who?.name ?? "the clock";
      by.set(number, what === "action" ? name : `${by.get(number) ?? ""}; ${what === "correct" ? "corrected" : what === "undo" ? "undone" : "brought back"} by ${name}`);
    }
    from = payload.next;
  }
}

/** A past raid as it should have been. @param {Follow} follow @param {Line} line @param {Amend} amend @param {Record<string, any>} [meant] what it is filled with @returns {Promise<boolean>} */
export function correct(follow, line, amend, meant) {
  const state = /** @type {State} */ (follow.state);
  const raiding = keyOf(line.raidingTeam);
  const now = meant ?? line.action ?? { raiderId: line.raiderId };
  const option = (/** @type {any} */ player, /** @type {boolean} */ selected) => make("option", { value: player.id, selected }, `${shirtOf(player)} ${player.name}`);
  const raider = /** @type {HTMLSelectElement} */ (make("select", { id: "correct-raider" }, ...squad(state, raiding).map((player) => option(player, player.id === now.raiderId))));
  const isCaught = (now.tacklerIds ?? []).length > 0;
  const how = /** @type {HTMLSelectElement} */ (make("select", { id: "correct-how" },
    make("option", { value: "home", selected: !isCaught && !now.raiderOut }, "The raider came home"), make("option", { value: "caught", selected: isCaught }, "The raider was caught"),
    ...WAYS_OUT.map(([way, words]) => make("option", { value: way, selected: now.raiderOut === way }, `Raider out: ${words}`))));
  const bonus = /** @type {HTMLInputElement} */ (make("input", { type: "checkbox", id: "correct-bonus", checked: Boolean(now.bonus) }));
  const reason = /** @type {HTMLInputElement} */ (make("input", { id: "correct-reason", maxlength: REASON_MAX, placeholder: "Such as: seen on video" }));
  const marks = squad(state, otherOf(raiding)).map((player) => {
    const is = now.selfOutIds?.includes(player.id) ? "self" : [...(now.touchedIds ?? []), ...(now.tacklerIds ?? [])].includes(player.id) ? "tap" : "";
    const select = /** @type {HTMLSelectElement} */ (make("select", { "aria-label": player.name, "data-player": player.id },
      ...[["", "–"], ["tap", "in it"], ["self", "stepped out"]].map(([value, words]) => make("option", { value, selected: value === is }, words))));
    return { player, select, element: make("label", { class: "mark-choice" }, make("span", {}, make("b", {}, shirtOf(player)), ` ${player.name}`), select) };
  });
  const first = (now.tacklerIds ?? [])[0];
  const dialog = opened("correct-dialog", `Correct raid ${line.raidNumber}`);
  let done = false;
  const form = make("form", { onsubmit: async (/** @type {Event} */ event) => {
    event.preventDefault();
    const of = (/** @type {string} */ mark) => marks.filter(({ select }) => select.value === mark).map(({ player }) => player.id);
    // Who had the point before has it still, if he is still in it.
    const taps = of("tap").sort((a, b) => Number(b === first) - Number(a === first));
    const action = /** @type {Record<string, any>} */ ({ type: "raid", raiderId: raider.value, ...(bonus.checked && { bonus: true }) });
    if (how.value === "home" && taps.length > 0) action.touchedIds = taps;
    else if (how.value === "caught") action.tacklerIds = taps;
    else if (how.value !== "home") action.raiderOut = how.value;
    if (of("self").length > 0) action.selfOutIds = of("self");
    done = await amend("correct", { number: line.number, action, ...(reason.value.trim() && { reason: reason.value.trim() }) });
    if (done) dialog.close();
  } },
    make("p", { class: "hint" }, ofLine(state, line)),
    make("div", { class: "field" }, make("label", { for: "correct-raider" }, `Raider of ${state[raiding].name}`), raider),
    make("div", { class: "field" }, make("label", { for: "correct-how" }, "How it ended"), how),
    make("label", { class: "choice" }, bonus, "The bonus was taken"),
    make("fieldset", { class: "marks" }, make("legend", {}, `${state[otherOf(raiding)].name}: in it means touched, or part of the catch`), ...marks.map(({ element }) => element)),
    make("div", { class: "field" }, make("label", { for: "correct-reason" }, "Why? (stands in the audit)"), reason),
    make("div", { class: "row end" }, button("Cancel", () => dialog.close(), { class: "quiet" }), make("button", { type: "submit", id: "correct-do" }, "Correct it")));
  dialog.append(form);
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(done)));
}

