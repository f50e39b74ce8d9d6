// The operator's view: who is in the pool, who searches, which rides are on, in the squares of the map that are looked at. It sees and says
// nothing; what it shows is told by the squares' rooms.

import { $, button, make, tell } from "../../elements.js";
import { door, leave } from "../../door.js";
import { connected } from "../../link.js";
import { TownMap } from "../map.js";
import { HOME, identityOf } from "../own.js";
import { away, pointIn } from "../geo.js";
import { far, left, ofRefusal, rupiah, stands } from "../words.js";
import { Squares, placed, squaresOf } from "./squares.js";

/** @typedef {import("../geo.js").Point} Point */

/** Of the hundred rooms of a connection: what is seen of a town, and the ride that is looked into. */
const SQUARES_MAX = 36;
const TURN_MS = 1_000;
/** Rows that a table shows; the figures count all. */
const ROWS_MAX = 40;

const who = identityOf("operator");
/** Where the map begins, by the address: `?at=-6.2088,106.8456`. */
const AT = (() => {
  const [latitude, longitude] = (new URLSearchParams(location.search).get("at") ?? "").split(",").map((text) => (text.trim() === "" ? NaN : Number(text)));
  return pointIn({ latitude, longitude }) ?? HOME;
})();

/** @param {string | undefined} role */
const hinders = (role) => (role === "operator" || role === "admin" ? "" : `Your token is ${role ? `a ${role}’s` : "a passenger’s"}. Enter with one whose role is operator or admin: kulkul token --role operator makes one.`);

function enter() {
  tell("me", who.now?.user?.name ?? "");
  const client = connected(who, { meanwhile: "What is shown is as it was.", anew: () => leave(who), changed: () => soon() });
  const squares = new Squares();
  /** @type {Set<string>} those that we are in */
  const watched = new Set();
  /** @type {any} */
  let refusal = null;
  /** The ride that is looked into, and where its driver is. @type {{id: string, ride: any, seen: any, error: any} | null} */
  let looked = null;
  let wanted = false;
  let shown = "";

  const edges = [0, 0.25, 0.5, 0.75].map((turns) => away(AT, 1_700, turns));
  const map = new TownMap($("map"), { label: "Map: drivers, searches and rides", centre: AT, fits: () => edges });

  function soon() {
    if (wanted) return;
    wanted = true;
    requestAnimationFrame(() => ((wanted = false), render()));
  }

  const roomOf = (/** @type {string} */ square) => `rides:area:${square}`;

  /** In the squares that are seen, and out of the others. */
  function follow() {
    const { southWest, northEast } = map.seen;
    const now = new Set(squaresOf(southWest, northEast, SQUARES_MAX));
    const told = [...now].sort().join();
    if (told === shown) return;
    shown = told;
    for (const square of watched) {
      if (now.has(square)) continue;
      client.room(roomOf(square)).leave();
      watched.delete(square);
      squares.drop(square);
    }
    for (const square of now) {
      if (watched.has(square)) continue;
      watched.add(square);
      client.room(roomOf(square)).join().catch((error) => ((refusal = error.code === "DISCARDED" ? refusal : error), soon()));
    }
    soon();
  }

  /** Whenever we are in anew, all of it is asked for. @param {string} square */
  async function ask(square) {
    try {
      const { payload } = await client.room(roomOf(square)).ask("get_state");
      refusal = null;
      if (watched.has(square)) squares.take(square, payload);
    } catch (error) {
      refusal = error;
    }
    soon();
  }

  client.on("frame", ({ type, room = "", payload }) => {
    const square = room.startsWith("rides:area:") ? room.slice("rides:area:".length) : null;
    if (square !== null && watched.has(square)) {
      if (type === "room_info" || type === "resumed" || type === "reset" || type === "gap") void ask(square);
      else if (payload && squares.hear(square, type, payload)) soon();
    } else if (looked && room === `rides:ride:${looked.id}`) {
      if (type === "state") looked.ride = payload;
      if (type === "room_info") looked.ride = payload.about;
      if (type === "driver_location") looked.seen = payload;
      soon();
    }
  });

  /** @param {string | null} id */
  function look(id) {
    if (looked) client.room(`rides:ride:${looked.id}`).leave();
    looked = id === null ? null : { id, ride: null, seen: null, error: null };
    if (id !== null) client.room(`rides:ride:${id}`).join().catch((error) => (looked?.id === id && (looked.error = error), soon()));
    soon();
  }

  /** @param {string} id @param {HTMLElement[]} rows @param {number} count */
  function table(id, rows, count) {
    const body = /** @type {HTMLElement} */ ($(id).querySelector("tbody"));
    const focused = document.activeElement instanceof HTMLElement && body.contains(document.activeElement) ? document.activeElement.dataset.ride : undefined;
    body.replaceChildren(...rows);
    if (focused) /** @type {HTMLElement | null} */ (body.querySelector(`[data-ride="${CSS.escape(focused)}"]`))?.focus();
    $(id).hidden = count === 0;
    $(`${id}-none`).hidden = count > 0;
    tell(`${id}-more`, count > rows.length ? `and ${count - rows.length} more` : "");
  }

  const cell = (/** @type {string | Node} */ words, of = "") => make("td", { class: of || null }, words);

  function render() {
    const { drivers, searches, rides } = squares.all;
    const now = Date.now();
    const free = [...drivers.values()].filter(({ available }) => available).length;
    for (const [of, value] of [["drivers", drivers.size], ["free", free], ["searches", searches.size], ["rides", rides.size]]) tell(/** @type {HTMLElement} */ (document.querySelector(`[data-figure="${of}"]`)), value.toLocaleString());
    const barred = refusal?.code === "UNAUTHORIZED" || refusal?.code === "FORBIDDEN";
    tell("refusal", !refusal ? "" : barred && /fleet/i.test(refusal.message) ? "The fleet’s own back end matches here: squares of the map know nobody." : barred ? "Your token may not look into squares of the map: that takes the role operator or admin." : ofRefusal(refusal));
    const firsts = (/** @type {Map<string, any>} */ of) => [...of.values()].slice(0, ROWS_MAX);
    table("searches", firsts(searches).map((one) => make("tr", { "data-search": one.passenger_id }, make("th", { scope: "row" }, one.passenger_name ?? one.passenger_id), cell(`${one.offers} open, ${one.asked} asked`), cell(left(new Date(one.expires_at).getTime() - now), "figure"))), searches.size);
    table("rides", firsts(rides).map((one) => make("tr", {}, make("th", { scope: "row" }, button(`${one.driver_name} – ${one.passenger_name}`, () => look(looked?.id === one.ride_id ? null : one.ride_id), { class: "look", "data-ride": one.ride_id, "aria-expanded": String(looked?.id === one.ride_id) })), cell(stands(one.status)))), rides.size);
    const pool = [...drivers.values()].sort((a, b) => Number(b.available) - Number(a.available));
    table("drivers", pool.slice(0, ROWS_MAX).map((one) => make("tr", {}, make("th", { scope: "row" }, one.driver_name), cell(one.available ? "free" : "in a ride"), cell(one.square, "figure"))), drivers.size);
    showLooked();
    draw();
  }

  function showLooked() {
    $("look").hidden = looked === null;
    if (!looked) return;
    const { ride, seen, error } = looked;
    tell("look-title", ride ? `${ride.driver_name} drives ${ride.passenger_name}` : error ? "This ride is not open to you" : "Looking…");
    const metres = Math.max(seen?.distance_m ?? 0, ride?.distance_m ?? 0);
    const cost = Math.max(seen?.total_cost ?? 0, ride?.total_cost ?? 0);
    const words = !ride ? "" : ride.status === "ONGOING" ? `${far(metres)} driven, ${rupiah(cost)} so far.` : ride.status === "ARRIVING" && seen ? `${far(seen.distance_to_pickup_m)} to the pick-up.` : ride.payment ? `${rupiah(ride.payment.adjusted_cost)}, ${ride.payment.status === "PROCESSED" ? "paid" : "not paid yet"}.` : "";
    tell("look-words", error ? ofRefusal(error) : ride ? `Now ${stands(ride.status)}. ${words}` : "");
  }

  function draw() {
    const { drivers, searches, rides } = squares.all;
    const ids = new Set();
    const put = (/** @type {string} */ id, /** @type {Point | null} */ point, /** @type {import("../draw.js").Look} */ look) => {
      if (!point) return;
      ids.add(id);
      map.mark(id, { point, ...look });
    };
    for (const [id, one] of drivers) if (!one.ride_id || !rides.has(one.ride_id)) put(`driver ${id}`, placed(one), { shape: "dot", tone: one.available ? "wood" : "edge" });
    for (const [id, one] of searches) put(`search ${id}`, placed(one), { shape: "rider", tone: "ink" });
    for (const [id, one] of rides) {
      const isOn = one.status === "ONGOING";
      const at = (looked?.id === id ? placed({ location: looked.seen }) : null) ?? placed(one, "driver_location");
      put(`ride ${id}`, at, looked?.id === id ? { shape: "driver", label: one.driver_name } : { shape: "dot", tone: isOn ? "beat" : "calm" });
      const to = placed(one, isOn ? "target_location" : "location");
      if (!at || !to) continue;
      ids.add(`way ${id}`);
      map.line(`way ${id}`, { points: [at, to], tone: isOn ? "beat" : "calm", isDashed: true, wide: 2.5 });
    }
    map.keep(ids);
  }

  $("leave").addEventListener("click", () => leave(who));
  $("look-end").addEventListener("click", () => look(null));
  map.fit();
  client.connect();
  setInterval(() => (follow(), soon()), TURN_MS);
}

door({ who, role: "operator", hinders, enter });
