// The passenger's page: where from and where to, drivers who offer themselves, the one who comes, the way, and what it costs. Of drivers
// it shows those who were offered by name and distance, and on the map the one alone who is on the way.

import { $, colour, tell } from "../../elements.js";
import { door, leave } from "../../door.js";
import { connected } from "../../link.js";
import { ask, menu, toast } from "../../overlays.js";
import { onStreet, places } from "../city.js";
import { receipt } from "../cards.js";
import { away, isSame, metres, pointIn } from "../geo.js";
import { TownMap } from "../map.js";
import { HOME, identityOf, keep, kept, located, placeOf } from "../own.js";
import { Seat } from "../seat.js";
import { aloud, chosen, failed, named, offerPlaces, parts, press, says, showOffers, toward } from "../sheet.js";
import { courseOf, figuresOf } from "../trip.js";
import { endedBy, far, left, ofReason, ofRefusal, ofStatus, rupiah } from "../words.js";

/** @typedef {import("../geo.js").Point} Point */

const TURN_MS = 1_000;
/** A phone that stands still says so, so that the start gate has something fresh; it is heard until the ride begins. */
const HEARTBEAT_MS = 20_000;
/** A first target is so far away: a ride that one can watch to its end. */
const FIRST_TRIP_M = 900;
/** What a server without another setting asks of who cancels when the driver has come. */
const FEE = 2_000;

const who = identityOf("passenger");
const select = (/** @type {string} */ id) => /** @type {HTMLSelectElement} */ ($(id));

/** @param {string | undefined} role */
const hinders = (role) => (role === "driver" ? "Your token is a driver’s. A driver rides with another token: any whose role is not driver." : "");

function enter() {
  const me = /** @type {{id: string, name: string}} */ (who.now?.user);
  tell("me", me.name);
  const client = connected(who, { meanwhile: "What you press is sent when you are back; the ride goes on.", anew: () => leave(who), changed: () => soon() });
  const seat = new Seat(client, "passenger", me.id, { changed: () => soon(), told });
  let pickup = placeOf("passenger");
  let target = pointIn(kept("passenger", "target")) ?? nextTo(pickup);
  const map = new TownMap($("map"), { label: "Map: where you are and where to", centre: pickup, pressed, fits });
  /** @type {Set<string>} */
  const busy = new Set();
  let nobody = false;
  /** Where the driver was when we last heard. @type {Point | null} */
  let last = null;
  /** How long the search was to take, as it was when we first saw it. */
  let span = { until: "", ms: 0 };
  let saidAt = 0;
  let wanted = false;
  let shownFor = "";

  function soon() {
    if (wanted) return;
    wanted = true;
    requestAnimationFrame(() => ((wanted = false), render()));
  }

  const isPlanning = () => seat.isKnown && !seat.ride && !seat.finder.is_active && !seat.due && !seat.ended && !nobody;

  function fits() {
    const { ride } = seat;
    if (!ride) return seat.finder.is_active && seat.finder.location ? [seat.finder.location, seat.finder.target_location ?? seat.finder.location] : [pickup, target];
    const where = ride.status === "ONGOING" ? (ride.target_location ?? ride.location) : ride.location;
    return seat.seen ? [seat.seen.point, where] : [ride.location, ride.target_location ?? ride.location];
  }

  /** @param {Point} at */
  function pressed(at) {
    if (isPlanning()) setPlace(/** @type {HTMLInputElement} */ (document.querySelector('[name="aim"]:checked')).value, at);
  }

  /** @param {string} what @param {Point} at */
  function setPlace(what, at) {
    if (what === "pickup") keep("passenger", "place", (pickup = at));
    else keep("passenger", "target", (target = at));
    if (what === "pickup") offerPlaces(select("from"), pickup, "Where I am on the map");
    select(what === "pickup" ? "from" : "to").value = "";
    aloud(`${what === "pickup" ? "You are" : "You want to get"} ${what === "pickup" ? named(at) : toward(at)}.`);
    soon();
  }

  /** One's own place while the driver comes: the start of the ride wants both to be near. @param {Point} at */
  async function walk(at) {
    keep("passenger", "place", (pickup = at));
    await here();
    soon();
  }

  async function here() {
    saidAt = Date.now();
    if (client.state === "open") await seat.rides("location_update", { ...pickup, timestamp: new Date(saidAt).toISOString() }).catch(failed);
  }

  /** @param {import("../seat.js").News} news */
  function told({ type, payload }) {
    // Whoever was driven somewhere is there.
    if (type === "ride_arrived") keep("passenger", "place", (pickup = last ?? payload.target_location ?? pickup));
    if (type === "match_proposal") aloud(`${payload.driver_name} may come, ${far(payload.distance_m)} away.`);
    if (type === "match_rejected" && !["passenger_rejected", "passenger_cancelled", "passenger_taken", "search_over"].includes(payload.reason)) toast(`${payload.driver_name}: ${ofReason("passenger", payload.reason)}`);
    if (type === "no_driver_found") nobody = true;
    if (type === "finder_update" || type === "ride_pickup") nobody = false;
    if (type === "ride_pickup" && payload.status === "PICKUP") aloud("Your driver is here.");
    if (type === "payment_request") aloud(`To be paid: ${rupiah(payload.total_cost)}.`);
    if (type === "ride_completed") aloud("The ride is completed.");
  }

  /** @param {string} id @param {boolean} accepted */
  async function answer(id, accepted) {
    if (busy.has(id)) return;
    busy.add(id);
    soon();
    await press(null, () => seat.says("match_confirm", { match_id: id, accepted }));
    busy.delete(id);
    if (!accepted) seat.offers.delete(id);
    soon();
  }

  function render() {
    if (seat.refused) {
      says("You may not ride here", ofRefusal(seat.refused));
      return parts();
    }
    if (!seat.isKnown) return;
    const { ride, ended, due, finder } = seat;
    last = seat.seen?.point ?? (ride ? null : last);
    const state = ended ? "ended" : due ? "due" : ride ? `ride ${ride.status} ${seat.seen !== null}` : finder.is_active ? "searching" : nobody ? "nobody" : "plan";
    if (state !== shownFor) {
      shownFor = state;
      map.isHeld = false;
      map.fit();
    }
    const shown = ended && !(due && due.payment.ride_id === ended.ride.ride_id) ? showEnded(ended) : ride ? showTrip(ride) : due ? showDue(due) : finder.is_active ? showSearch() : nobody ? showNobody() : showPlan();
    parts(shown);
    draw();
    document.title = `${ride ? ofStatus("passenger", ride.status) : seat.offers.size > 0 ? `(${seat.offers.size}) Offers` : "Passenger"} · Kulkul`;
  }

  function draw() {
    const { ride, finder } = seat;
    const ids = new Set(["pickup", "target"]);
    const plans = isPlanning();
    const from = ride?.location ?? (finder.is_active ? finder.location : null) ?? pickup;
    const to = ride ? ride.target_location : finder.is_active ? finder.target_location : target;
    const name = ride?.status === "ONGOING" ? undefined : ride || finder.is_active ? "Pick-up" : "You";
    map.mark("pickup", { point: from, shape: "pickup", label: name, moved: plans ? (at) => setPlace("pickup", at) : undefined });
    map.mark("target", to ? { point: to, shape: "target", label: "Target", moved: plans ? (at) => setPlace("target", at) : undefined } : null);
    if (ride && ride.status !== "ONGOING") {
      ids.add("me");
      map.mark("me", { point: pickup, shape: "me", label: isSame(pickup, from) ? undefined : "You", moved: walk });
    }
    if (ride && seat.seen) {
      ids.add("driver");
      map.mark("driver", { point: seat.seen.point, shape: "driver", label: ride.driver_name });
    }
    map.keep(ids);
  }

  function showPlan() {
    const apart = metres(pickup, target);
    says("Where to?", "Drivers within a kilometre of you are asked, a few at a time. Both of you say yes before anybody comes.");
    tell("plan-words", `You are ${named(pickup)} and want to get ${toward(target)}: ${far(apart)} as the crow flies.`);
    return "plan";
  }

  function showSearch() {
    const { expires_at: until, target_location } = seat.finder;
    const ms = until ? new Date(until).getTime() - Date.now() : 0;
    if (span.until !== until) span = { until, ms };
    const many = seat.offers.size;
    says(many === 0 ? "Looking for a driver…" : many === 1 ? "A driver may come" : `${many} drivers may come`, [until ? `${left(ms)} left` : "You are told of who may come", target_location ? toward(target_location) : ""].filter((words) => words).join(", ") + ".");
    $("search-left").style.width = `${Math.max(0, Math.min(100, (ms / Math.max(1, span.ms)) * 100))}%`;
    showOffers(seat, busy, answer);
    return "searching";
  }

  function showNobody() {
    says("No driver was found", "Nobody near said yes in time. More may be on duty in a moment.");
    return "nobody";
  }

  /** @param {import("../seat.js").Ride} ride */
  function showTrip(ride) {
    const apart = seat.seen?.to_pickup_m;
    const isApart = metres(pickup, ride.location) > 100;
    const words = {
      MATCHED: "The ride is being made…",
      ARRIVING: `${ride.driver_name} comes to you${apart === undefined ? "." : `, ${far(apart)} away.`}`,
      PICKUP: `${ride.driver_name} is at the pick-up, and starts when you sit.`,
      ONGOING: seat.seen && ride.target_location ? `${far(metres(seat.seen.point, ride.target_location))} to go as the crow flies.` : "Have a good ride.",
    }[ride.status] ?? "";
    says(ofStatus("passenger", ride.status), isApart && ride.status !== "ONGOING" ? `${words} You are ${far(metres(pickup, ride.location))} from the pick-up: the ride starts where you both are.` : words);
    tell("party-name", ride.driver_name);
    tell("party-words", ride.target_location ? `takes you ${toward(ride.target_location)}` : "takes you where you say");
    colour($("party-face"), { id: ride.driver_id, name: ride.driver_name });
    $("course").replaceChildren(...courseOf(ride.status));
    $("figures").replaceChildren(...figuresOf(ride, seat.seen, ride.status === "ARRIVING" ? apart : undefined));
    tell("cancel", ride.status === "ONGOING" ? "Get off here" : "Cancel the ride");
    $("cancel").hidden = ride.status === "MATCHED";
    return "trip";
  }

  /** @param {NonNullable<Seat["due"]>} due */
  function showDue({ payment, ride, qr }) {
    const isRefused = payment.status === "REJECTED";
    const isFee = ride?.status === "CANCELLED";
    says(isFee ? "Ride cancelled" : "You have arrived", isRefused ? "You refused to pay. It stays to be paid, and can be tried again." : isFee ? "The driver had come for you: cancelling costs a fee." : `${ride?.driver_name ?? "Your driver"} asks for the fare.`);
    tell("due-sum", rupiah(payment.adjusted_cost));
    tell("due-words", "What is not paid keeps nobody from the next ride: the driver is free already.");
    tell("pay", isRefused ? "Try again: pay" : "Pay");
    $("refuse").hidden = isRefused;
    $("qr").hidden = !qr;
    if (qr && /^https?:/.test(qr)) /** @type {HTMLAnchorElement} */ ($("qr-link")).href = qr;
    const of = `${payment.ride_id} ${payment.status} ${ride !== null}`;
    if ($("bill").dataset.of !== of) $("bill").replaceChildren(...(ride ? [receipt("passenger", ride, payment)] : []));
    $("bill").dataset.of = of;
    return "due";
  }

  /** @param {import("../seat.js").Ended} ended */
  function showEnded({ kind, ride, payment }) {
    says(ofStatus("passenger", ride.status), kind === "cancelled" ? endedBy("passenger", ride) : `Thank you. ${ride.driver_name} is paid.`);
    tell("ended-title", payment || kind === "completed" ? "Receipt" : "It costs nothing");
    tell("ended-words", ride.target_location && kind === "completed" ? `From ${named(ride.location).replace(/^at /, "")} ${toward(ride.target_location)}` : "");
    const of = `${ride.ride_id} ${payment?.status}`;
    if ($("receipt").dataset.of !== of) $("receipt").replaceChildren(receipt("passenger", ride, payment));
    $("receipt").dataset.of = of;
    return "ended";
  }

  async function cancels() {
    const { ride } = seat;
    if (!ride) return;
    const fare = rupiah(Math.max(seat.seen?.total_cost ?? 0, ride.total_cost));
    const warned = /** @type {Record<string, [string, string, string]>} */ ({
      PICKUP: ["Cancel this ride?", `${ride.driver_name} has come for you: cancelling now costs a fee, ${rupiah(FEE)} unless this server has another.`, "Cancel and pay the fee"],
      ONGOING: ["Get off here?", `The ride ends as if you had arrived: you pay the way so far, ${fare}.`, "Get off"],
    })[ride.status] ?? ["Cancel this ride?", `${ride.driver_name} is told and turns back. Now it costs nothing; once the driver is there, it does.`, "Cancel the ride"];
    const reason = await ask({ title: warned[0], words: warned[1], does: warned[2], field: "Why? It may stay empty" });
    if (reason !== null) await press(null, () => seat.says("ride_cancel", { ride_id: ride.ride_id, ...(reason && { reason }) }));
  }

  /** @param {Event} event @param {"ACCEPTED" | "REJECTED"} status */
  function pays(event, status) {
    const { due } = seat;
    if (due) void press(event, () => seat.rides("payment_process", { total_cost: due.payment.adjusted_cost, status }, due.payment.ride_id));
  }

  /** @param {Event} event */
  async function find(event) {
    if (await press(event, () => seat.says("finder_update", { is_active: true, location: pickup, target_location: target }))) nobody = false;
    soon();
  }

  function more() {
    menu($("menu-open"), [
      { words: "Open a driver in a new window", does: () => window.open("../driver/", "_blank", "noopener") },
      { words: client.state === "open" ? "Cut the connection for a moment" : "Come back now", does: () => (client.state === "open" ? client.cut() : client.connect()) },
      { words: "Leave", does: () => leave(who) },
    ]);
  }

  for (const [id, what] of [["from", "pickup"], ["to", "target"]]) {
    select(id).addEventListener("change", () => {
      const { value } = select(id);
      const at = chosen(select(id));
      if (!at) return;
      setPlace(what, at);
      select(id).value = what === "target" ? value : "";
      map.isHeld = false;
      map.fit();
    });
  }
  $("locate").addEventListener("click", (event) => press(event, async () => (setPlace("pickup", await located()), (map.isHeld = false), map.fit())));
  $("find").addEventListener("click", find);
  $("again").addEventListener("click", find);
  $("elsewhere").addEventListener("click", () => ((nobody = false), soon()));
  $("stop").addEventListener("click", (event) => press(event, () => seat.says("finder_update", { is_active: false })));
  $("cancel").addEventListener("click", cancels);
  $("pay").addEventListener("click", (event) => pays(event, "ACCEPTED"));
  $("refuse").addEventListener("click", (event) => pays(event, "REJECTED"));
  $("done").addEventListener("click", () => seat.putAway());
  $("print").addEventListener("click", () => print());
  $("menu-open").addEventListener("click", more);
  offerPlaces(select("from"), pickup, "Where I am on the map");
  offerPlaces(select("to"), pickup, "Where I want to on the map");
  seat.join().catch(soon);
  client.connect();
  setInterval(() => {
    const { ride } = seat;
    if (ride && ["ARRIVING", "PICKUP"].includes(ride.status) && Date.now() - saidAt >= HEARTBEAT_MS) void here();
    if (ride && !map.isHeld) map.fit();
    soon();
  }, TURN_MS);
}

/** Some place with a name, at about the length of a first ride. @param {Point} from @returns {Point} */
function nextTo(from) {
  const near = places(from, FIRST_TRIP_M * 2).map(({ point }) => point);
  const apart = (/** @type {Point} */ point) => Math.abs(metres(from, point) - FIRST_TRIP_M);
  return near.sort((a, b) => apart(a) - apart(b))[0] ?? onStreet(away(from.latitude ? from : HOME, FIRST_TRIP_M, 0.3));
}

door({ who, role: "passenger", hinders, enter });
