// The node at one look: rates from what is counted between two looks, who is connected and by what, who takes too little, shards, the engine
// and the bridges; and charts of the hour that the server remembers.

import { make } from "../elements.js";
import { call } from "./ask.js";
import { chart } from "./chart.js";
import { bytes, count, figure, link, plain, rate, table } from "./shown.js";

const LOOK_MS = 2_000;
/** The server takes a sample every ten seconds. */
const HOUR_MS = 10_000;
const SLOW_MAX = 8;

/** @typedef {{node: string, at: number, counted: Record<string, number>, [more: string]: any}} Overview */

/** @param {number} many @param {string} what */
const some = (many, what) => `${count(many)} ${what}${many === 1 ? "" : "s"}`;

/** What was counted between two looks, a second. @param {Overview | null} before @param {Overview} now */
export function rates(before, now) {
  if (!before || before.node !== now.node || now.at <= before.at) return null;
  const seconds = (now.at - before.at) / 1000;
  return Object.fromEntries(Object.entries(now.counted).map(([name, value]) => [name, Math.max(0, value - (before.counted[name] ?? 0)) / seconds]));
}

/** Turns of each shard, a second. @param {Overview | null} before @param {Overview} now */
function turns(before, now) {
  if (!before || before.node !== now.node || now.at <= before.at) return () => "–";
  const seconds = (now.at - before.at) / 1000;
  return (/** @type {number} */ shard) => rate(Math.max(0, now.shards[shard].turns - (before.shards[shard]?.turns ?? 0)) / seconds);
}

/** @param {{name: string, help: string, value: number}[]} figures */
const shortly = (figures) => figures.map(({ name, value }) => `${plain(name)} ${name.includes("bytes") ? bytes(value) : count(value)}`).join(" · ");

/** @param {Overview} now */
function troubles(now) {
  const all = [];
  if (now.trouble) all.push(now.trouble);
  if (now.draining) all.push("The node drains: it takes nobody in, and ends when everybody has gone.");
  else if (!now.ready) all.push("The node is not ready: a load balancer sends clients elsewhere.");
  if (now.engine.away) all.push(`The engine is away: ${now.engine.away}`);
  if (now.pressure > 0) all.push(`Memory is short: step ${now.pressure} of 4 is given up.`);
  for (const { name, why } of now.bridges) if (why) all.push(`The bridge ${name}: ${why}`);
  return all;
}

/** @param {Overview | null} before @param {Overview} now */
function figures(before, now) {
  const per = rates(before, now);
  const a = (/** @type {string} */ name) => (per ? rate(per[name]) : "…");
  const each = now.connections > 0 ? bytes(now.resident_bytes / now.connections) : "–";
  return make("dl", { class: "tiles" },
    figure("connections", count(now.connections), `of ${some(now.users, "user")}, ${some(now.streams, "stream")} among them`, "connections"),
    figure("connects /s", a("connects"), per ? `${rate(per.disconnects)} gone /s` : "", "connects"),
    figure("messages in /s", a("messages"), `${count(now.counted.messages)} so far`, "messages"),
    figure("records /s", a("records"), `${count(now.counted.records)} so far`, "records"),
    figure("deliveries /s", a("deliveries"), per ? `${bytes(per.bytes)} /s` : "", "deliveries"),
    figure("memory", bytes(now.resident_bytes), now.connections > 0 ? `${each} for each connection, all of the process` : "all of the process", "memory"),
    figure("rooms", count(now.rooms), "at home on this node", "rooms"),
    figure("owe an answer", count(now.stale), `${count(now.counted.behind)} fell behind so far`, "stale"),
  );
}

/** @param {any[]} slow */
function takers(slow) {
  const rows = slow.map((one) => [
    link(`#/connections/${one.id}`, one.user?.name || one.user?.id || "not proven"), one.mount, bytes(one.waiting_bytes), count(one.waiting_messages), count(one.sheds),
    one.behind ? "catching up" : one.stale ? "owes an answer" : one.waiting_bytes > 0 ? "takes too little" : "takes all",
  ]);
  return table("Slow consumers", ["Who", "Mount", "Waiting#", "Messages#", "Sheds#", "How it stands"], rows, "Everybody takes what is sent.");
}

/** @param {Overview | null} before @param {Overview} now @param {any[]} slow */
function parts(before, now, slow) {
  const roles = Object.entries(now.roles).map(([role, many]) => [role, count(/** @type {number} */ (many))]);
  const mounts = now.mounts.map((/** @type {any} */ one) => [one.mount, one.app, one.speaks, count(one.connections)]);
  const turned = turns(before, now);
  const shards = now.shards.map((/** @type {any} */ one) => [`shard ${one.shard}`, count(one.connections), count(one.rooms), turned(one.shard)]);
  const engine = [[now.engine.name, now.engine.away ? "away" : "serves", now.engine.figures.length > 0 ? shortly(now.engine.figures) : "in the shards themselves: no figures of its own"]];
  const bridges = now.bridges.map((/** @type {any} */ one) => [one.name, one.state, shortly(one.figures), ...[one.series.map((/** @type {any} */ it) => `${plain(it.name)}: ${it.rows.map((/** @type {any} */ row) => `${row.of} ${count(row.value)}`).join(", ") || "none"}${it.more > 0 ? ` and ${it.more} more` : ""}`).join("; ")]]);
  return make("div", { class: "parts" },
    takers(slow.filter((one) => one.waiting_bytes > 0 || one.sheds > 0 || one.stale || one.behind)),
    table("Connections by mount", ["Mount", "App", "Speaks", "Connections#"], mounts, "Nobody is connected."),
    table("Connections by role", ["Role", "Connections#"], roles, "Nobody has said who they are."),
    table("Shards", ["Shard", "Connections#", "Rooms#", "Turns /s#"], shards, "There are none."),
    table("Engine", ["Engine", "State", "Figures"], engine, ""),
    table("Bridges", ["Bridge", "State", "Figures", "Of each"], bridges, "No bridge is configured."),
  );
}

/** @param {any} hour */
function charts(hour) {
  const per = (/** @type {string} */ name) => hour[name].map((/** @type {number} */ value, /** @type {number} */ index) => (value * 1000) / hour.span_ms[index]);
  const one = (/** @type {string} */ title, /** @type {number[]} */ values, /** @type {(value: number) => string} */ words, /** @type {string} */ of) => chart({ title, at: hour.at, values, words, of });
  return [
    one("Connections", hour.connections, count, "connections"),
    one("Messages in, a second", per("messages"), rate, "messages"),
    one("Deliveries, a second", per("deliveries"), rate, "deliveries"),
    one("Records, a second", per("records"), rate, "records"),
    one("Connects, a second", per("connects"), rate, "connects"),
    one("Memory", hour.resident_bytes, bytes, "memory"),
  ];
}

/** @param {import("./console.js").Panel} panel */
export function overview(panel) {
  /** @type {Overview | null} */
  let before = null;
  const trouble = make("div", {});
  const tiles = make("div", {});
  const hours = make("div", { class: "charts" });
  const rest = make("div", {});
  panel.show("Overview", "", trouble, tiles, make("h2", {}, "The last hour"), hours, rest);

  panel.every(LOOK_MS, async () => {
    const [now, { connections }] = await Promise.all([call("overview"), call("connections", { query: { order: "slow", limit: SLOW_MAX } }).catch((error) => {
      // A key of some rooms sees no connections, and all of the rest.
      if (error.status === 403) return { connections: [] };
      throw error;
    })]);
    panel.keep(() => {
      panel.says(`Node ${now.node}, as of now`);
      trouble.replaceChildren(...troubles(now).map((words) => make("p", { class: "trouble" }, words)));
      tiles.replaceChildren(figures(before, now));
      rest.replaceChildren(parts(before, now, connections));
    });
    before = now;
  });
  panel.every(HOUR_MS, async () => {
    const hour = await call("overview/hour");
    panel.keep(() => {
      const open = new Set([...hours.querySelectorAll("details[open]")].map((one) => /** @type {HTMLElement} */ (one.closest("[data-chart]"))?.dataset.chart));
      hours.replaceChildren(...charts(hour));
      for (const one of hours.querySelectorAll("details")) one.open = open.has(/** @type {HTMLElement} */ (one.closest("[data-chart]"))?.dataset.chart);
    });
  });
}
