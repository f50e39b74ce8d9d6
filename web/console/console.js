// The console: a door for the operator's key, parts by the address behind the #, and one place that says whether the node answers.

import { $, tell } from "../elements.js";
import { Away, Refused, call, key } from "./ask.js";
import { connection, connections } from "./connections.js";
import { explain } from "./explain.js";
import { overview } from "./overview.js";
import { room, rooms } from "./rooms.js";

/** After a look that failed: the node may be starting again. */
const AGAIN_MS = 3_000;

/** What shows a part. It ends when another is shown: what comes late then is not shown any more. */
export class Panel {
  /** @type {ReturnType<typeof setTimeout>[]} */
  #timers = [];
  isOver = false;
  /** What this key may. @type {string[]} */
  may;

  /** @param {string[]} may */
  constructor(may) {
    this.may = may;
  }

  end() {
    this.isOver = true;
    this.#timers.forEach(clearTimeout);
  }

  /** @param {string} title @param {string} subtitle @param {...import("../elements.js").Child} children */
  show(title, subtitle, ...children) {
    document.title = `${title} · Console · Kulkul`;
    $("title").textContent = title;
    tell("subtitle", subtitle);
    tell("trouble", "");
    $("panel").replaceChildren(.../** @type {Node[]} */ (children.filter((child) => child !== null && child !== undefined && child !== false)));
  }

  /** @param {string} words */
  says(words) {
    tell("subtitle", words);
  }

  /** Changes what is shown, and leaves the focus and the scrolled tables where they were. @param {() => void} change */
  keep(change) {
    if (this.isOver) return;
    const at = /** @type {HTMLElement | null} */ (document.activeElement);
    const name = at?.id ? `#${CSS.escape(at.id)}` : at?.getAttribute("href") ? `[href="${CSS.escape(/** @type {string} */ (at.getAttribute("href")))}"]` : at?.dataset.does ? `[data-does="${CSS.escape(at.dataset.does)}"]` : "";
    const inside = name !== "" && $("panel").contains(at);
    change();
    if (inside && !document.contains(at)) /** @type {HTMLElement | null} */ ($("panel").querySelector(name))?.focus({ preventScroll: true });
  }

  /** Looks, and again so long after each look, until the part is left. @param {number} ms @param {() => Promise<void>} look */
  every(ms, look) {
    const turn = async () => {
      const went = await this.tries(look);
      if (!this.isOver) this.#timers.push(setTimeout(() => (document.hidden ? wait() : turn()), went ? ms : Math.max(ms, AGAIN_MS)));
      this.#timers = this.#timers.slice(-8);
    };
    // Nobody looks: nothing is asked until somebody does.
    const wait = () => document.addEventListener("visibilitychange", () => this.isOver || turn(), { once: true });
    again.add(turn);
    void turn();
  }

  /** Does it, and says what came of it where that is shown. @param {() => Promise<void>} what */
  async tries(what) {
    try {
      await what();
      if (this.isOver) return true;
      stands("open");
      tell("trouble", "");
      return true;
    } catch (error) {
      if (this.isOver) return false;
      if (error instanceof Away) stands("offline");
      else if (error instanceof Refused && error.status === 401) out("The key is not good any more. A pass ends after some hours: make a new link with kulkul console, or type the key.");
      else if (error instanceof Refused && error.status === 503) stands("offline", error.message);
      else tell("trouble", error instanceof Refused ? error.message : `This page has broken: ${/** @type {Error} */ (error).message}`);
      return false;
    }
  }
}

/** What a press of the banner's button does. @type {Set<() => Promise<void>>} */
const again = new Set();
/** @type {Panel | null} */
let shown = null;
/** @type {string[]} */
let may = [];

/** @param {"open" | "offline"} state @param {string} [why] */
function stands(state, why = "The node does not answer. What is shown is as it was; this page asks again every few seconds.") {
  $("bar").dataset.state = state;
  $("inside").dataset.state = state;
  tell("status", state === "open" ? "Connected" : "No answer");
  $("banner").hidden = state === "open";
  $("banner-words").textContent = state === "open" ? "" : why;
}

/** Out, to the door. @param {string} [why] */
function out(why = "") {
  key.forget();
  shown?.end();
  shown = null;
  $("inside").hidden = true;
  $("doorway").hidden = false;
  tell("door-trouble", why);
  $("key").focus();
}

/** @param {unknown} error */
function atTheDoor(error) {
  if (error instanceof Away) return "The node does not answer. Is it running, and is this its operator’s address?";
  if (!(error instanceof Refused)) return `This page has broken: ${/** @type {Error} */ (error).message}`;
  if (error.status === 401) return "This key is not known here. Look into the server’s config at [[api.keys]]; in demo mode it stands in kulkul-data/api-key, and kulkul console prints a link that has one in it.";
  if (error.status === 403) return `This key may not look: ${error.message}. Give it the scope "inspect" in [[api.keys]].`;
  if (error.status === 429) return "Too many wrong keys came from this address. Wait a minute, and try again.";
  return error.message;
}

/** @param {string} text */
async function enter(text) {
  try {
    ({ may } = await call("overview", { by: text }));
  } catch (error) {
    $("inside").hidden = true;
    $("doorway").hidden = false;
    tell("door-trouble", atTheDoor(error));
    if (!(error instanceof Away)) key.forget();
    $("key").focus();
    return;
  }
  key.keep(text);
  tell("door-trouble", "");
  /** @type {HTMLInputElement} */ ($("key")).value = "";
  $("doorway").hidden = true;
  $("inside").hidden = false;
  go();
}

/** The part that the address names: `#/rooms/chat:general?from=…`. */
function go() {
  if ($("inside").hidden) return;
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [way, ...rest] = path.split("/");
  const name = rest.map(decodeURIComponent).join("/");
  const asked = new URLSearchParams(query);
  shown?.end();
  again.clear();
  shown = new Panel(may);
  const ways = way === "rooms" ? (name ? room : rooms) : way === "connections" ? (name ? connection : connections) : way === "explain" ? explain : overview;
  for (const link of document.querySelectorAll("[data-way]")) {
    const here = /** @type {HTMLElement} */ (link).dataset.way === (way || "overview");
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  $("subtitle").hidden = true;
  ways(shown, { name, asked });
}

$("door").addEventListener("submit", (event) => {
  event.preventDefault();
  void enter(/** @type {HTMLInputElement} */ ($("key")).value.trim());
});
$("leave").addEventListener("click", () => out());
$("banner-do").addEventListener("click", () => again.forEach((look) => void look()));
$("skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("main").focus();
});
addEventListener("hashchange", () => {
  if (taken()) return;
  go();
  $("main").focus({ preventScroll: true });
  scrollTo(0, 0);
});

/** A link with a key in it lets in, and the key is taken out of the address at once: it is in no history. */
function taken() {
  const given = /^#key=(.+)$/.exec(location.hash)?.[1];
  if (!given) return false;
  history.replaceState(null, "", `${location.pathname}#/`);
  void enter(decodeURIComponent(given));
  return true;
}

if (!taken()) {
  if (key.now) void enter(key.now);
  else out();
}

