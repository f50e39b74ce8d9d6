// The live panel: a fleet of up to a hundred drivers and their passengers, driven by this page, to see the server breathe.

import { $, make, tell } from "../../elements.js";
import { ofRefusal, rupiah } from "../words.js";
import { TownMap } from "../map.js";
import { HOME } from "../own.js";
import { away } from "../geo.js";
import { Fleet, NotInDemo, ridersFor, townOf } from "./fleet.js";

const TURN_MS = 1_000;
/** What is not shown of a fleet that goes on behind it. */
const SHOW_MS = 250;

const input = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ ($(id));
const address = new URL("../../ws", import.meta.url);
address.protocol = address.protocol === "https:" ? "wss:" : "ws:";

const map = new TownMap($("map"), { label: "Map: all drivers and passengers of the panel", centre: HOME, fits });
const fleet = new Fleet(address.href, HOME, { changed: () => soon(), failed });
let wanted = 0;
let runs = false;
let turning = 0;

/** All of the town that so many drive in. */
function fits() {
  return [0, 0.25, 0.5, 0.75].map((turns) => away(HOME, townOf(input("count").valueAsNumber) * 0.85, turns));
}

/** @param {Error} error */
function failed(error) {
  runs = false;
  $("no-demo").hidden = !(error instanceof NotInDemo);
  const silent = error instanceof TypeError;
  tell("trouble", error instanceof NotInDemo ? "" : silent ? "The server does not answer. Start it, then press Start again." : ofRefusal(error));
  soon();
}

function soon() {
  if (wanted) return;
  wanted = window.setTimeout(() => {
    wanted = 0;
    requestAnimationFrame(render);
  }, SHOW_MS);
}

const FIGURES = /** @type {[string, string][]} */ ([["here", "drivers connected"], ["free", "free"], ["searching", "passengers searching"], ["offered", "offers open"], ["riding", "riding"], ["done", "rides completed"], ["rupiah", "paid"]]);

function render() {
  const { figures } = fleet;
  const value = (/** @type {string} */ of) => (of === "rupiah" ? rupiah(figures.rupiah) : /** @type {any} */ (figures)[of].toLocaleString());
  if ($("figures").childElementCount === 0) $("figures").append(...FIGURES.map(([of, words]) => make("div", {}, make("dt", {}, words), make("dd", { "data-figure": of }))));
  for (const [of] of FIGURES) tell(/** @type {HTMLElement} */ ($("figures").querySelector(`[data-figure="${of}"]`)), value(of));
  const count = input("count").valueAsNumber;
  tell("count-words", `${count} drivers, ${ridersFor(count)} passengers`);
  tell("run", runs ? "Stop" : "Start");
  $("run").className = runs ? "quiet grave" : "";
  tell("stumbles", figures.stumbles > 0 ? `${figures.stumbles} times somebody was a moment too late, or refused; they went on.` : "");
  const stops = !runs && fleet.size > 0;
  /** @type {HTMLButtonElement} */ ($("run")).disabled = stops;
  $("panel").dataset.state = runs ? "open" : stops ? "connecting" : "off";
  tell("state", stops ? "They leave…" : !runs ? "Stopped" : fleet.drivers.length < count ? `They come, ${fleet.drivers.length} of ${count}…` : figures.here < count ? `${count - figures.here} without a connection…` : "Running");
  $("idle").hidden = runs || fleet.size > 0 || fleet.done > 0;
  draw();
}

function draw() {
  const ids = new Set();
  for (const { seat, pilot, isHere, given } of fleet.drivers) {
    const { id } = given.user;
    const { ride } = seat;
    ids.add(id);
    const tone = !isHere ? "edge" : !ride ? (seat.offers.size > 0 ? "wait" : "wood") : ride.status === "ONGOING" ? "beat" : "calm";
    map.mark(id, { point: pilot.at, shape: "dot", tone });
    if (!ride) continue;
    ids.add(`way ${id}`);
    map.line(`way ${id}`, { points: pilot.wheels.way, tone, wide: 2.5 });
  }
  for (const { seat, given } of fleet.passengers) {
    if (!seat.finder.is_active || !seat.finder.location) continue;
    ids.add(given.user.id);
    map.mark(given.user.id, { point: seat.finder.location, shape: "rider", tone: "ink" });
  }
  map.keep(ids);
}

function turn() {
  fleet.turn(Date.now());
  soon();
  if (!runs && fleet.size === 0) {
    clearInterval(turning);
    turning = 0;
  }
}

$("run").addEventListener("click", () => {
  runs = !runs;
  tell("trouble", "");
  if (runs && turning === 0) turning = window.setInterval(turn, TURN_MS);
  void fleet.want(runs ? input("count").valueAsNumber : 0);
  soon();
});
input("count").addEventListener("input", () => {
  if (runs) void fleet.want(input("count").valueAsNumber);
  map.fit();
  soon();
});
const pace = () => (fleet.kmh = Number(/** @type {HTMLSelectElement} */ ($("kmh")).value));
$("kmh").addEventListener("change", pace);
pace();
map.fit();
render();
