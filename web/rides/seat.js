// What a driver or a passenger knows: offers, the ride, what is to be paid, and where the driver is. It is the fold of what their own room
// and their ride's room say; it decides nothing and draws nothing.

import { pointIn } from "./geo.js";

/** @typedef {import("./geo.js").Point} Point */
/** @typedef {import("../../clients/js/src/client.js").Kulkul} Kulkul */
/** @typedef {Record<string, any> & {match_id: string, match_status: string, expires_at: string, distance_m: number, location: Point, target_location: Point | null, driver_location: Point, driver_name: string, passenger_name: string}} Offer */
/** @typedef {Record<string, any> & {payment_id: string, ride_id: string, fare: number, adjustment_factor: number, adjusted_cost: number, admin_fee: number, driver_payout: number, status: string}} Payment */
/** @typedef {Record<string, any> & {ride_id: string, status: string, driver_name: string, passenger_name: string, total_cost: number, distance_m: number, location: Point, target_location: Point | null, payment: Payment | null}} Ride */
/** Where the driver is, and what that comes to. @typedef {{point: Point, to_pickup_m?: number, distance_m?: number, total_cost?: number}} Seen */
/** What came to an end and was not put away. @typedef {{kind: "completed" | "cancelled", ride: Ride, payment: Payment | null}} Ended */
/** @typedef {{type: string, payload: any}} News */

const OVER = new Set(["ARRIVED", "COMPLETED", "CANCELLED"]);

export class Seat {
  /** Nothing was heard yet. */
  isKnown = false;
  beacon = { is_active: false, available: false, location: /** @type {Point | null} */ (null) };
  finder = { is_active: false, location: /** @type {Point | null} */ (null), target_location: /** @type {Point | null} */ (null), expires_at: "" };
  /** @type {Map<string, Offer>} */
  offers = new Map();
  /** @type {Ride | null} */
  ride = null;
  /** Something to be paid, and for which ride as far as that is known. @type {{payment: Payment, ride: Ride | null, qr: string | null} | null} */
  due = null;
  /** @type {Ended | null} */
  ended = null;
  /** @type {Seen | null} */
  seen = null;
  /** Of this ride we are in its room. */
  #joined = "";

  /**
   * @param {Kulkul} client
   * @param {"driver" | "passenger"} role
   * @param {string} id the user's
   * @param {{changed: () => void, told?: (news: News) => void}} heard `told`: what happened just now, once
   */
  constructor(client, role, id, { changed, told = () => {} }) {
    this.client = client;
    this.role = role;
    this.name = `rides:${role}:${id}`;
    this.own = client.room(this.name);
    this.changed = changed;
    this.told = told;
    client.on("frame", (frame) => this.#hear(frame));
    this.own.on("state", changed);
  }

  /** In, for as long as the page is there. */
  join() {
    return this.own.join();
  }

  /** Why we may not be here, if we may not. */
  get refused() {
    return this.own.state === "refused" ? this.own.error : null;
  }

  /** A word to one's own room. @param {string} word @param {object} [payload] */
  async says(word, payload = {}) {
    const answer = await this.own.act(word, payload);
    // A server that hands words on to a fleet's back end says that it took them, and no more.
    const said = typeof answer.payload?.is_active === "boolean" ? answer.payload : payload;
    if (word === "beacon_update") this.#beacon(said);
    if (word === "finder_update") this.#finder(said);
    if (word === "match_confirm" && answer.payload?.match_status) this.#offer(answer.payload);
    this.changed();
    return answer;
  }

  /** A word to the ride, or to another one of ours. @param {string} word @param {object} [payload] @param {string} [ride] */
  rides(word, payload = {}, ride = this.ride?.ride_id) {
    return this.client.room(`rides:ride:${ride}`).act(word, payload);
  }

  /** How all stands by the server, where our own act may have changed more than one thing. */
  async refresh() {
    const { payload } = await this.own.ask("get_state");
    this.#take(payload);
  }

  /** How far the ride is. Whoever says where they are is told that it was heard, and not what it came to. */
  async look() {
    const id = this.ride?.ride_id;
    if (!id || this.ride?.status !== "ONGOING") return;
    const { payload } = await this.client.room(`rides:ride:${id}`).ask("get_state");
    if (this.ride?.ride_id === id && !OVER.has(payload.status)) this.ride = payload;
    this.changed();
  }

  /** What ended was looked at. */
  putAway() {
    this.ended = null;
    this.changed();
  }

  /** @param {any} frame */
  #hear({ type, room, payload }) {
    if (room === this.name) this.#own(type, payload ?? {});
    else if (this.ride && room === `rides:ride:${this.ride.ride_id}`) this.#ofRide(type, payload ?? {});
  }

  /** @param {string} type @param {any} payload */
  #own(type, payload) {
    switch (type) {
      case "room_info": return payload.about && this.#take(payload.about);
      case "gap":
      case "reset": return payload.view && this.#take(payload.view);
      case "beacon_update": this.#beacon(payload); break;
      case "finder_update": this.#finder(payload); break;
      case "match_proposal":
      case "match_confirm": this.#offer(payload); break;
      case "match_rejected": this.offers.delete(payload.match_id); break;
      case "no_driver_found":
        this.finder.is_active = false;
        this.offers.clear();
        break;
      case "ride_pickup":
      case "ride_started": this.#rides(payload); break;
      case "ride_arrived": this.#arrives(payload); break;
      case "ride_cancelled":
        this.#arrives(payload);
        this.ended = { kind: "cancelled", ride: payload, payment: payload.payment };
        break;
      case "payment_request":
        if (this.due && this.due.payment.ride_id === payload.ride_id) this.due.qr = payload.qr_code_url ?? null;
        break;
      case "payment_processed": this.#pays(payload); break;
      case "ride_completed": this.#completes(payload); break;
      default: return;
    }
    this.told({ type, payload });
    this.changed();
  }

  /** @param {string} type @param {any} payload */
  #ofRide(type, payload) {
    if (type === "driver_location") {
      const point = pointIn(payload);
      if (!point) return;
      this.seen = { point, to_pickup_m: payload.distance_to_pickup_m, distance_m: payload.distance_m, total_cost: payload.total_cost };
    } else if (type === "room_info" || type === "state") {
      const ride = type === "state" ? payload : payload.about;
      if (!ride?.ride_id || OVER.has(ride.status)) return;
      this.ride = ride;
    } else return;
    this.changed();
  }

  /** The whole of it, as the room says it. @param {any} state */
  #take(state) {
    this.isKnown = true;
    if (state.beacon) this.beacon = { location: null, ...state.beacon };
    if (state.finder) this.finder = { location: null, target_location: null, expires_at: "", ...state.finder };
    this.offers = new Map((state.offers ?? []).map((/** @type {Offer} */ offer) => [offer.match_id, offer]));
    if (state.ride) this.#rides(state.ride);
    else this.ride = this.seen = null;
    const { payment } = state;
    const isDue = payment && payment.status !== "PROCESSED";
    if (!isDue) this.due = null;
    else if (!this.due || this.due.payment.ride_id !== payment.ride_id) {
      this.due = { payment, ride: null, qr: null };
      void this.#remember(payment.ride_id);
    } else this.due.payment = payment;
    this.#follow();
    this.changed();
  }

  /** What is to be paid names its ride alone: the ride has the rest. @param {string} id */
  async #remember(id) {
    try {
      const { payload } = await this.client.room(`rides:ride:${id}`).ask("get_state");
      if (this.due?.payment.ride_id === id) this.due.ride = payload;
      this.changed();
    } catch {
      // It can be paid without.
    }
  }

  /** @param {any} said */
  #beacon({ is_active, latitude, longitude }) {
    const location = pointIn({ latitude, longitude }) ?? this.beacon.location;
    this.beacon = { is_active, available: is_active && location !== null && !this.ride, location };
    if (!is_active) this.offers.clear();
  }

  /** @param {any} said */
  #finder(said) {
    this.finder = said.is_active ? { target_location: null, expires_at: "", ...said } : { ...this.finder, is_active: false };
    if (!said.is_active) this.offers.clear();
  }

  /** @param {Offer} offer */
  #offer(offer) {
    const held = this.offers.get(offer.match_id);
    if (offer.match_status === "REJECTED") this.offers.delete(offer.match_id);
    else if (offer.match_status === "ACCEPTED") {
      this.finder.is_active = false;
      this.offers.clear();
      if (!this.ride) this.#rides({ ...offer, ride_id: offer.match_id, status: "MATCHED", total_cost: 0, distance_m: 0, payment: null });
    } else {
      // Two yeses cross: whichever word came last, both were said.
      const both = held && held.match_status !== "PENDING" && held.match_status !== offer.match_status && offer.match_status !== "PENDING";
      this.offers.set(offer.match_id, both ? { ...offer, match_status: "BOTH_CONFIRMED" } : offer);
    }
  }

  /** @param {Ride} ride */
  #rides(ride) {
    if (OVER.has(ride.status)) return this.#arrives(ride);
    if (this.ride?.ride_id !== ride.ride_id) {
      this.seen = null;
      this.ended = null;
    }
    this.ride = ride;
    this.finder.is_active = false;
    this.offers.clear();
    this.#follow();
  }

  /** @param {Ride} ride */
  #arrives(ride) {
    if (this.ride?.ride_id === ride.ride_id) this.ride = this.seen = null;
    const { payment } = ride;
    if (payment && payment.status !== "PROCESSED") this.due = { payment, ride, qr: null };
    this.#follow();
  }

  /** What a cancelled ride costs is paid without a receipt of its own. @param {Payment} payment */
  #pays(payment) {
    if (this.ended?.ride.ride_id === payment.ride_id) this.ended.payment = payment;
    if (this.due?.payment.ride_id !== payment.ride_id) return;
    this.due.payment = payment;
    if (payment.status === "PROCESSED") this.#settled();
  }

  /** It is paid; an older one may still be due. */
  #settled() {
    this.due = null;
    void this.refresh().catch(() => {});
  }

  /** @param {{ride: Ride, payment: Payment | null}} receipt */
  #completes({ ride, payment }) {
    if (this.ride?.ride_id === ride.ride_id) this.ride = this.seen = null;
    this.ended = { kind: "completed", ride, payment };
    if (this.due?.payment.ride_id === ride.ride_id) this.#settled();
    this.#follow();
  }

  /** In the room of the ride that is on, and of no other. Before that room has spoken there may be none. */
  #follow() {
    const id = this.ride && this.ride.status !== "MATCHED" ? this.ride.ride_id : "";
    if (this.#joined === id) return;
    if (this.#joined !== "") this.client.room(`rides:ride:${this.#joined}`).leave();
    this.#joined = id;
    // Tried again with the ride's next word; unless another ride is on by then.
    const refused = () => {
      if (this.#joined === id) this.#joined = "";
    };
    if (id !== "") void this.client.room(`rides:ride:${id}`).join().catch(refused);
  }
}
