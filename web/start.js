// The start page: its door, its composer, and the node's figures.

import { identity } from "./identity.js";
import { room } from "./room.js";
import { $, view } from "./view.js";

const POLL_MS = 5_000;

// ---------------------------------------------------------------- the door

function enter() {
  room.attempt = 0;
  room.refusals = 0;
  room.connect();
  view.entering();
}

$("door").addEventListener("submit", async (event) => {
  event.preventDefault();
  const input = /** @type {HTMLInputElement} */ ($("name"));
  const button = /** @type {HTMLButtonElement} */ ($("door").querySelector("button"));
  const name = input.value.trim();
  if (name === "") return input.focus();
  view.trouble("", "door-trouble");
  button.disabled = true;
  try {
    if ((await identity.ask(name)) === "given") {
      enter();
    } else {
      view.askForToken();
      $("token").focus();
    }
  } catch (error) {
    const words = error instanceof TypeError ? "The server does not answer. Is it running?" : `That did not work: ${error.message}.`;
    view.trouble(words, "door-trouble");
  } finally {
    button.disabled = false;
  }
});

$("key").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = /** @type {HTMLInputElement} */ ($("token"));
  if (identity.paste(input.value.trim())) {
    input.value = "";
    view.trouble("", "key-trouble");
    enter();
  } else {
    view.trouble("That is no token: it should have three parts with a dot between.", "key-trouble");
  }
});

const say = /** @type {HTMLTextAreaElement} */ ($("say"));

function grow() {
  say.rows = Math.min(5, say.value.split("\n").length);
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = say.value.trim();
  if (text !== "" && room.say(text)) {
    say.value = "";
    grow();
  }
  say.focus();
});
say.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    /** @type {HTMLFormElement} */ ($("composer")).requestSubmit();
  }
});
say.addEventListener("input", () => {
  grow();
  room.typing(say.value.trim());
});
say.addEventListener("blur", () => room.typing(""));
$("cut").addEventListener("click", () => room.toggle());
$("earlier").addEventListener("click", () => room.earlier());
addEventListener("online", () => {
  room.attempt = 0;
  room.connect();
});
setInterval(() => room.check(), 1000);

// ---------------------------------------------------------------- the node

const node = {
  timer: 0,
  failures: 0,
  /** The figures stand on the operator's listener unless the server is in demo mode. */
  hasStats: true,

  async ask(path) {
    const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(POLL_MS) });
    if (!response.ok) return { missing: response.status === 404 || response.status === 403 };
    return await response.json();
  },

  async look() {
    clearTimeout(this.timer);
    if (document.hidden) return;
    try {
      const from = performance.now();
      const online = await this.ask("ws/online");
      const took = performance.now() - from;
      const stats = this.hasStats ? await this.ask("stats") : { missing: true };
      if (stats.missing) this.hasStats = false;
      this.tell(online, stats, took);
      this.failures = 0;
    } catch {
      this.failures += 1;
      $("figures").dataset.stale = "true";
      $("node-note").textContent = "The node does not answer; these figures are old.";
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), POLL_MS * Math.min(6, 1 + this.failures));
  },

  tell(online, stats, took) {
    $("figures").dataset.stale = "false";
    $("online").textContent = online.online?.toLocaleString() ?? "–";
    $("connections").textContent = stats.total_connections?.toLocaleString() ?? "–";
    $("answered").textContent = took < 10 ? `${took.toFixed(1)} ms` : `${Math.round(took)} ms`;
    const roles = Object.entries(stats.connections_by_role ?? {});
    $("roles").hidden = roles.length === 0;
    $("roles").textContent = `Connections by role: ${roles.map(([role, count]) => `${role || "none"} ${count}`).join(", ")}`;
    $("node-note").textContent = this.hasStats
      ? "Asked every five seconds while you look."
      : "Asked every five seconds while you look. The connections are the operator's to see.";
  },
};

document.addEventListener("visibilitychange", () => node.look());
node.look();

identity.recall();
if (identity.now) enter();
