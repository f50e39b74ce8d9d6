// Drivers and passengers by the dozen, each a real client with a token and a connection of its own: what a server of rides is for. They
// come one after the other, ride, and leave tidily. How it looks is the panel's affair.

import { Kulkul } from "../../client/index.js";
import { onStreet } from "../city.js";
import { away, metres } from "../geo.js";
import { Pilot } from "../pilot.js";
import { Seat } from "../seat.js";

/** @typedef {import("../geo.js").Point} Point */
/** @typedef {{token: string, user: {id: string, name: string}}} Given */

/** A browser holds 255 WebSockets to one server, all its windows together: a hundred drivers, their passengers, and room for the other pages. */
export const DRIVERS_MAX = 100;
/** One passenger for so many drivers. */
const DRIVERS_EACH = 2;
/** Between two who come: a server is not stormed by a page that shows it. */
const PACE_MS = 80;
/** How far out the town is that so many drive in: few would never meet in a large one. @param {number} drivers */
export const townOf = (drivers) => 500 + 100 * Math.sqrt(drivers);
const TRIP_M = { least: 250, most: 700 };
const REST_MS = { least: 1_500, most: 6_000 };
/** Word must be out before the connection goes, but not for ever. */
const GOODBYE_MS = 4_000;
const DESK = new URL("../../demo/token", import.meta.url);

const NAMES = ["Wayan", "Made", "Nyoman", "Ketut", "Putu", "Kadek", "Komang", "Gede", "Ayu", "Dewi", "Agung", "Sri", "Budi", "Rai", "Sari", "Adi", "Indah", "Bagus", "Tirta", "Yudi"];

/** @param {number} drivers */
export const ridersFor = (drivers) => Math.ceil(drivers / DRIVERS_EACH);

/** The server gives no tokens away: then there is no fleet. */
export class NotInDemo extends Error {}

/** @param {number} least @param {number} most */
const between = (least, most) => least + Math.random() * (most - least);
/** @param {Point} home @param {number} within */
const somewhere = (home, within) => onStreet(away(home, Math.sqrt(Math.random()) * within, Math.random()));

/** @param {string} name @param {"driver" | "passenger"} role @returns {Promise<Given>} */
async function token(name, role) {
  const response = await fetch(DESK, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ name, role }) });
  if (response.status === 404 || response.status === 405) throw new NotInDemo("This server gives no tokens away.");
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return response.json();
}

/** One of them, and its connection. */
class Actor {
  /** What was to be done and was refused or lost: it is tried again with the next turn. */
  stumbles = 0;

  /** @param {"driver" | "passenger"} role @param {Given} given @param {Fleet} fleet */
  constructor(role, given, fleet) {
    this.role = role;
    this.given = given;
    this.client = new Kulkul(fleet.url, { token: given.token, user: given.user });
    this.seat = new Seat(this.client, role, given.user.id, { changed: () => fleet.changed(), told: (news) => fleet.count(news) });
  }

  get isHere() {
    return this.client.state === "open" && this.seat.isKnown;
  }

  /** Nothing is left behind that waits for somebody who is gone. A ride that the other has ended just now is no reason to stay. */
  async endsRide() {
    const { ride } = this.seat;
    if (ride) await this.seat.says("ride_cancel", { ride_id: ride.ride_id, reason: "The panel was stopped" }).catch(() => (this.stumbles += 1));
  }

  begin() {
    this.client.connect();
    this.seat.join().catch(() => (this.stumbles += 1));
  }
}

export class Driver extends Actor {
  /** @param {Given} given @param {Fleet} fleet */
  constructor(given, fleet) {
    super("driver", given, fleet);
    const { home } = fleet;
    this.pilot = new Pilot(this.seat, somewhere(home, townOf(fleet.wanted)), { failed: () => (this.stumbles += 1) });
    this.pilot.drives = this.pilot.presses = true;
    this.pilot.roams = () => somewhere(home, townOf(fleet.wanted));
    this.asked = false;
  }

  /** @param {number} now @param {number} kmh */
  turn(now, kmh) {
    this.pilot.kmh = kmh;
    if (!this.isHere) return;
    if (!this.seat.beacon.is_active && !this.asked) {
      this.asked = true;
      this.seat.says("beacon_update", { is_active: true, ...this.pilot.at }).catch(() => (this.stumbles += 1)).then(() => (this.asked = false));
    }
    this.pilot.turn(now);
  }

  async goes() {
    await this.endsRide();
    await this.seat.says("beacon_update", { is_active: false });
  }
}

export class Passenger extends Actor {
  #restsUntil = 0;
  #isBusy = false;

  /** @param {Given} given @param {Fleet} fleet */
  constructor(given, fleet) {
    super("passenger", given, fleet);
    this.fleet = fleet;
    this.#restsUntil = Date.now() + between(500, REST_MS.most);
  }

  /** @param {number} now */
  turn(now) {
    if (!this.isHere || this.#isBusy || now < this.#restsUntil) return;
    const { seat } = this;
    const wish = this.#wish();
    if (!wish) return;
    this.#isBusy = true;
    wish().catch(() => ((this.stumbles += 1), seat.refresh())).catch(() => {}).then(() => {
      this.#isBusy = false;
      this.#restsUntil = Date.now() + between(600, 1_800);
    });
  }

  /** What a passenger would press now. @returns {(() => Promise<unknown>) | null} */
  #wish() {
    const { seat } = this;
    if (seat.due) {
      const { payment } = seat.due;
      return () => seat.rides("payment_process", { total_cost: payment.adjusted_cost, status: "ACCEPTED" }, payment.ride_id);
    }
    if (seat.ride) return null;
    if (seat.finder.is_active) {
      const said = [...seat.offers.values()].filter(({ match_status }) => match_status === "DRIVER_CONFIRMED").sort((a, b) => a.distance_m - b.distance_m);
      return said.length > 0 ? () => seat.says("match_confirm", { match_id: said[0].match_id, accepted: true }) : null;
    }
    const from = somewhere(this.fleet.home, townOf(this.fleet.wanted) * 0.85);
    const to = onStreet(away(from, between(TRIP_M.least, TRIP_M.most), Math.random()));
    if (metres(from, to) < TRIP_M.least / 2) return null;
    return async () => {
      await seat.says("finder_update", { is_active: true, location: from, target_location: to });
      this.#restsUntil = Date.now() + between(REST_MS.least, REST_MS.most);
    };
  }

  async goes() {
    const { seat } = this;
    await this.endsRide();
    if (seat.finder.is_active) await seat.says("finder_update", { is_active: false });
  }
}

export class Fleet {
  /** @type {Driver[]} */
  drivers = [];
  /** @type {Passenger[]} */
  passengers = [];
  done = 0;
  rupiah = 0;
  /** How many drivers are wanted. */
  wanted = 0;
  kmh = 60;
  /** Tokens of those who have left: whoever comes next takes one. @type {{driver: Given[], passenger: Given[]}} */
  #spare = { driver: [], passenger: [] };
  #counted = new Set();
  #isComing = false;
  #number = 0;

  /** @param {string} url @param {Point} home @param {{changed: () => void, failed: (error: Error) => void}} heard */
  constructor(url, home, { changed, failed }) {
    this.url = url;
    this.home = home;
    this.changed = changed;
    this.failed = failed;
  }

  get size() {
    return this.drivers.length + this.passengers.length;
  }

  /** @param {number} drivers */
  async want(drivers) {
    this.wanted = Math.max(0, Math.min(DRIVERS_MAX, drivers));
    if (this.#isComing) return;
    this.#isComing = true;
    try {
      await this.#settle();
    } catch (error) {
      this.wanted = 0;
      this.failed(/** @type {Error} */ (error));
      await this.#settle().catch(() => {});
    } finally {
      this.#isComing = false;
    }
  }

  /** One comes or some leave, until there are as many as are wanted; what is wanted may change meanwhile. */
  async #settle() {
    for (;;) {
      const riders = ridersFor(this.wanted);
      const [spareDrivers, sparePassengers] = [this.drivers.splice(this.wanted), this.passengers.splice(riders)];
      // Drivers first: a ride that its driver cancels costs nobody anything.
      await this.#leave(spareDrivers);
      await this.#leave(sparePassengers);
      this.changed();
      if (this.drivers.length >= this.wanted && this.passengers.length >= riders) return;
      await this.#come(this.drivers.length < this.wanted && this.drivers.length <= this.passengers.length * DRIVERS_EACH ? "driver" : this.passengers.length < riders ? "passenger" : "driver");
      await new Promise((resolve) => setTimeout(resolve, PACE_MS));
    }
  }

  /** @param {"driver" | "passenger"} role */
  async #come(role) {
    this.#number += 1;
    const name = `${NAMES[this.#number % NAMES.length]} ${this.#number}`;
    const given = this.#spare[role].pop() ?? (await token(name, role));
    if (this.wanted === 0) return void this.#spare[role].push(given);
    if (role === "driver") this.drivers.push(new Driver(given, this));
    else this.passengers.push(new Passenger(given, this));
    (role === "driver" ? this.drivers : this.passengers).at(-1)?.begin();
  }

  /** Both people of a ride are told; it counts once. @param {import("../seat.js").News} news */
  count({ type, payload }) {
    if (type !== "ride_completed" || this.#counted.has(payload.ride.ride_id)) return;
    this.#counted.add(payload.ride.ride_id);
    this.done += 1;
    this.rupiah += payload.payment?.adjusted_cost ?? 0;
  }

  /** @param {(Driver | Passenger)[]} actors */
  async #leave(actors) {
    if (actors.length === 0) return;
    const said = Promise.allSettled(actors.filter(({ isHere }) => isHere).map((one) => one.goes()));
    await Promise.race([said, new Promise((resolve) => setTimeout(resolve, GOODBYE_MS))]);
    for (const one of actors) {
      one.client.disconnect();
      this.#spare[one.role].push(one.given);
    }
  }

  /** @param {number} now */
  turn(now) {
    for (const one of this.drivers) one.turn(now, this.kmh);
    for (const one of this.passengers) one.turn(now);
  }

  /** How many do what just now. */
  get figures() {
    const here = this.drivers.filter(({ isHere }) => isHere);
    const riding = here.filter(({ seat }) => seat.ride).length;
    const searching = this.passengers.filter(({ seat }) => seat.finder.is_active);
    return {
      here: here.length, riding, free: here.filter(({ seat }) => seat.beacon.is_active && !seat.ride).length,
      searching: searching.length, offered: searching.reduce((sum, { seat }) => sum + seat.offers.size, 0),
      done: this.done, rupiah: this.rupiah, stumbles: [...this.drivers, ...this.passengers].reduce((sum, { stumbles }) => sum + stumbles, 0),
    };
  }
}
