// A driver who needs no hands: says yes, drives to the pick-up and to the target by streets, and says where it is all the way. What it
// says are the words that a phone says, in the driver's own name; the driver's page and the live panel use the same one.

import { isSame, metres } from "./geo.js";
import { Wheels } from "./wheels.js";

/** @typedef {import("./geo.js").Point} Point */
/** @typedef {import("./seat.js").Seat} Seat */
/** @typedef {import("./seat.js").Offer} Offer */

/** Where a phone is, it says at least so often: the start of a ride wants to know. */
const HEARTBEAT_MS = 15_000;
/** A person looks before they say yes, and gets out before the ride is over. */
const MOMENT_MS = 1_200;
/** So near is there. */
const THERE_M = 15;

export class Pilot {
  /** It drives by itself. */
  drives = false;
  /** It says yes, starts and arrives by itself as well. */
  presses = false;
  kmh = 60;
  /** Where it goes while nobody wants it; null: it waits where it is. @type {() => Point | null} */
  roams = () => null;
  #saidAt = 0;
  /** @type {Point | null} */
  #said = null;
  /** What it has waited for, and since when. */
  #wait = { of: "", since: 0 };
  #isBusy = false;

  /** @param {Seat} seat @param {Point} at @param {{failed?: (error: any) => void}} [heard] */
  constructor(seat, at, { failed = () => {} } = {}) {
    this.seat = seat;
    this.wheels = new Wheels(at);
    this.failed = failed;
  }

  get at() {
    return this.wheels.at;
  }

  /** Where it should be, by how the ride stands. @returns {Point | null} */
  get goal() {
    const { ride } = this.seat;
    if (!ride) return null;
    return ride.status === "ONGOING" ? ride.target_location : ride.location;
  }

  /** Somewhere else, by hand. @param {Point} at */
  put(at) {
    this.wheels.put(at);
    return this.says(Date.now());
  }

  /** Once a second or so. @param {number} now */
  turn(now) {
    const { seat, wheels } = this;
    const goal = this.goal;
    if (!this.drives) wheels.stop();
    else if (goal) {
      if (!isSame(wheels.at, goal)) wheels.drive(goal, this.kmh, now);
    } else if (!wheels.goal) {
      const next = seat.beacon.is_active ? this.roams() : null;
      if (next) wheels.drive(next, Math.min(this.kmh, 30), now);
    }
    wheels.move(now);
    const isOld = now - this.#saidAt >= HEARTBEAT_MS && seat.ride !== null;
    if (seat.beacon.is_active || seat.ride) if (isOld || !this.#said || !isSame(this.#said, wheels.at)) void this.says(now);
    if (this.presses) this.#presses(now);
  }

  /** Where it is, to whoever has to know: in a ride that is the ride. @param {number} now */
  async says(now) {
    const { seat } = this;
    if (seat.client.state !== "open") return;
    const at = this.wheels.at;
    this.#saidAt = now;
    this.#said = at;
    const said = { ...at, timestamp: new Date(now).toISOString() };
    const isUnderWay = seat.ride && seat.ride.status !== "MATCHED";
    try {
      await (isUnderWay ? seat.rides("location_update", said) : seat.own.act("location_update", said));
    } catch (error) {
      this.failed(error);
    }
  }

  /** Whether it has wished for this for a moment. @param {string} of @param {number} now */
  #waited(of, now) {
    if (this.#wait.of !== of) this.#wait = { of, since: now };
    return now - this.#wait.since >= MOMENT_MS;
  }

  /** @param {number} now */
  #presses(now) {
    const { seat } = this;
    const wish = this.#wish();
    if (!wish || this.#isBusy || seat.client.state !== "open" || !this.#waited(wish.of, now)) return;
    this.#isBusy = true;
    const done = () => {
      this.#isBusy = false;
      this.#wait = { of: "", since: 0 };
    };
    wish.does().catch((/** @type {any} */ error) => this.failed(error)).then(done);
  }

  /** What a driver would press now. @returns {{of: string, does: () => Promise<unknown>} | null} */
  #wish() {
    const { seat, wheels } = this;
    const { ride } = seat;
    if (!ride) {
      const open = [...seat.offers.values()].filter(({ match_status }) => match_status === "PENDING" || match_status === "PASSENGER_CONFIRMED");
      const [offer] = open.sort((a, b) => a.distance_m - b.distance_m);
      return offer ? { of: `yes ${offer.match_id}`, does: () => seat.says("match_confirm", { match_id: offer.match_id, accepted: true }) } : null;
    }
    const goal = this.goal;
    const isThere = goal !== null && metres(wheels.at, goal) <= THERE_M;
    if (ride.status === "PICKUP" && isThere) return { of: `start ${ride.ride_id}`, does: () => seat.rides("ride_start") };
    if (ride.status === "ONGOING" && (isThere || !goal)) return { of: `arrive ${ride.ride_id}`, does: () => seat.rides("ride_arrived", { adjustment_factor: 1 }) };
    return null;
  }
}
