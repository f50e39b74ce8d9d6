// The driver's page: on duty, offers, the way to the passenger and with them, what is charged. What is so the seat says; what is pressed
// becomes a word; and between the two the pilot drives, if it is told to.

import { $, colour, tell } from "../../elements.js";
import { door, leave } from "../../door.js";
import { connected } from "../../link.js";
import { ask, menu, open, toast } from "../../overlays.js";
import { route } from "../city.js";
import { receipt } from "../cards.js";
import { metres } from "../geo.js";
import { TownMap } from "../map.js";
import { identityOf, keep, kept, located, placeOf } from "../own.js";
import { Pilot } from "../pilot.js";
import { Seat } from "../seat.js";
import { aloud, chosen, failed, named, offerPlaces, parts, press, says, showOffers, toward } from "../sheet.js";
import { endedBy, far, ofReason, ofRefusal, ofStatus, percent, rupiah } from "../words.js";
import { courseOf, figuresOf } from "../trip.js";

const TURN_MS = 1_000;
/** Of so many turns one asks what the way came to so far. */
const LOOK_EACH = 2;

const who = identityOf("driver");
const input = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ ($(id));
const select = (/** @type {string} */ id) => /** @type {HTMLSelectElement} */ ($(id));

/** @param {string | undefined} role */
const hinders = (role) => (role === "driver" ? "" : `Your token is ${role ? `a ${role}’s` : "a passenger’s"}. Enter with one whose role is driver: kulkul token --role driver makes one.`);

function enter() {
  const me = /** @type {{id: string, name: string}} */ (who.now?.user);
  tell("me", me.name);
  const client = connected(who, { meanwhile: "Where you are is told again when you are back; the ride goes on.", anew: () => leave(who), changed: () => soon() });
  const seat = new Seat(client, "driver", me.id, { changed: () => soon(), told });
  const pilot = new Pilot(seat, placeOf("driver"), { failed: (error) => tell("refusal", ofRefusal(error)) });
  const map = new TownMap($("map"), { label: "Map: where you are and where you drive", centre: pilot.at, pressed: place, fits });
  /** @type {Set<string>} offers that were answered just now */
  const busy = new Set();
  let wanted = false;
  let shownFor = "";
  let turns = 0;

  function soon() {
    if (wanted) return;
    wanted = true;
    requestAnimationFrame(() => ((wanted = false), render()));
  }

  /** Somewhere else, by hand. @param {import("../geo.js").Point} at */
  function place(at) {
    keep("driver", "place", at);
    void pilot.put(at);
    soon();
  }

  function fits() {
    const goal = pilot.goal;
    const asked = [...seat.offers.values()].map(({ location }) => location);
    return goal ? [pilot.at, goal] : asked.length > 0 ? [pilot.at, ...asked] : [pilot.at, ...[0, 1, 2, 3].map((side) => around(side))];
  }

  /** What is seen around a driver who waits: the half of what they are looked for in. @param {number} side */
  function around(side) {
    const { latitude, longitude } = pilot.at;
    const by = 0.0045;
    return { latitude: latitude + [by, 0, -by, 0][side], longitude: longitude + [0, by, 0, -by][side] };
  }

  /** @param {import("../seat.js").News} news */
  function told({ type, payload }) {
    if (type === "match_proposal") {
      aloud(`${payload.passenger_name} asks for you, ${far(payload.distance_m)} away.`);
      map.fit();
    }
    if (type === "match_rejected" && payload.reason !== "driver_rejected") toast(`${payload.passenger_name}: ${ofReason("driver", payload.reason)}`);
    if (type === "match_confirm" && payload.match_status === "PASSENGER_CONFIRMED") aloud(`${payload.passenger_name} said yes.`);
    if (type === "payment_processed") aloud("The payment was refused. It can be tried again.");
    if (type === "ride_completed") aloud(`Paid: ${rupiah(payload.payment?.driver_payout)} are yours.`);
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
      says("You may not drive here", ofRefusal(seat.refused));
      return parts();
    }
    if (!seat.isKnown) return;
    const { ride, ended, due, beacon } = seat;
    const state = ended && !ride ? "ended" : ride ? `ride ${ride.status}` : beacon.is_active ? "free" : "off";
    if (state !== shownFor) {
      shownFor = state;
      map.isHeld = false;
      map.fit();
    }
    if (ride) showTrip(ride);
    else if (ended && seat.offers.size === 0) showEnded(ended);
    else if (beacon.is_active) {
      const many = seat.offers.size;
      says(many === 0 ? "You are on duty" : many === 1 ? "Somebody asks for you" : `${many} ask for you`, many === 0 ? "Passengers within a kilometre are offered to you here. Stay on this page: who is not connected is not asked." : "");
    } else {
      says("You are off duty", `You stand ${named(pilot.at)}. Nobody is offered to you.`);
    }
    $("go-off").hidden = ended !== null && seat.offers.size === 0;
    showOffers(seat, busy, answer);
    const owed = due && !ended && due.payment.status !== "PROCESSED";
    if (owed) tell("owed-words", `${due.ride?.passenger_name ?? "A passenger"} ${due.payment.status === "REJECTED" ? "has refused to pay" : "has yet to pay"} ${rupiah(due.payment.adjusted_cost)}. You are free meanwhile.`);
    parts(ride ? "trip" : beacon.is_active ? "free" : "off", ended && !ride ? "ended" : "", owed ? "owed" : "", "auto");
    draw();
    document.title = `${seat.offers.size > 0 && !ride ? `(${seat.offers.size}) ` : ""}${ride ? ofStatus("driver", ride.status) : "Driver"} · Kulkul`;
  }

  function draw() {
    const { ride } = seat;
    const ids = new Set(["me"]);
    const isFree = !ride && !pilot.drives;
    map.mark("me", { point: pilot.at, shape: "driver", tone: seat.beacon.is_active || ride ? "beat" : "soft", moved: isFree || !pilot.drives ? place : undefined, label: "You" });
    const shown = ride ? [["", ride]] : [...seat.offers.entries()];
    for (const [id, of] of /** @type {[string, any][]} */ (shown)) {
      ids.add(`pickup${id}`);
      map.mark(`pickup${id}`, { point: of.location, shape: "pickup", label: !ride ? of.passenger_name : ride.status === "ONGOING" ? undefined : "Pick-up" });
      if (!of.target_location || !ride) continue;
      ids.add("target");
      map.mark("target", { point: of.target_location, shape: "target", label: "Target" });
    }
    const goal = pilot.goal;
    if (ride && goal) {
      ids.add("way");
      map.line("way", { points: pilot.wheels.goal ? pilot.wheels.way : route(pilot.at, goal), tone: ride.status === "ONGOING" ? "beat" : "calm" });
    }
    map.keep(ids);
  }

  /** @param {import("../seat.js").Ride} ride */
  function showTrip(ride) {
    const goal = pilot.goal;
    const apart = goal ? metres(pilot.at, goal) : 0;
    const words = {
      MATCHED: "The ride is being made…",
      ARRIVING: `${ride.passenger_name} waits ${named(ride.location)}. ${far(apart)} to go as the crow flies.`,
      PICKUP: `${ride.passenger_name} is told that you are here. Start when they sit.`,
      ONGOING: goal ? `${far(apart)} to go as the crow flies.` : "Drive where the passenger says.",
    }[ride.status] ?? "";
    says(ofStatus("driver", ride.status), words);
    tell("party-name", ride.passenger_name);
    tell("party-words", ride.target_location ? `wants to get ${toward(ride.target_location)}` : "says where to");
    colour($("party-face"), { id: ride.passenger_id, name: ride.passenger_name });
    $("course").replaceChildren(...courseOf(ride.status));
    $("figures").replaceChildren(...figuresOf(ride, seat.seen, ride.status === "ARRIVING" ? apart : undefined));
    $("here").hidden = ride.status !== "ARRIVING";
    $("start").hidden = ride.status !== "PICKUP" && ride.status !== "ARRIVING";
    $("start").className = ride.status === "PICKUP" ? "" : "quiet";
    $("arrive").hidden = ride.status !== "ONGOING";
    $("cancel").hidden = ride.status === "MATCHED";
  }

  /** @param {import("../seat.js").Ended} ended */
  function showEnded({ kind, ride, payment }) {
    says(ofStatus("driver", ride.status), kind === "cancelled" ? endedBy("driver", ride) : payment?.driver_payout ? `${rupiah(payment.driver_payout)} are yours.` : "Nothing was to be paid.");
    tell("ended-title", kind === "cancelled" ? "What became of it" : "Receipt");
    tell("ended-words", kind !== "cancelled" || !payment ? "" : payment.status === "PROCESSED" ? "The passenger has paid for your way." : "The passenger pays for your way.");
    if ($("receipt").dataset.of === `${ride.ride_id} ${payment?.status}`) return;
    $("receipt").dataset.of = `${ride.ride_id} ${payment?.status}`;
    $("receipt").replaceChildren(receipt("driver", ride, payment));
  }

  function arrives() {
    const ride = seat.ride;
    if (!ride) return;
    const slider = input("factor");
    const show = () => {
      const fare = seat.seen?.total_cost ?? seat.ride?.total_cost ?? 0;
      tell("arrive-words", `${far(seat.seen?.distance_m ?? seat.ride?.distance_m)} make ${rupiah(fare)}. You may charge less.`);
      tell("factor-words", percent(slider.valueAsNumber / 100));
      tell("arrive-sum", `${rupiah(Math.floor((fare * slider.valueAsNumber) / 100))} for the passenger`);
    };
    slider.value = "100";
    slider.oninput = show;
    show();
    seat.look().then(show, () => {});
    const dialog = open("arrive-dialog");
    /** @type {HTMLFormElement} */ ($("arrive-form")).onsubmit = () => {
      void press(null, () => seat.rides("ride_arrived", { adjustment_factor: slider.valueAsNumber / 100 }, ride.ride_id));
      dialog.onclose = null;
    };
    slider.focus();
  }

  async function cancels() {
    const ride = seat.ride;
    if (!ride) return;
    const reason = await ask({ title: "Cancel this ride?", words: `${ride.passenger_name} is told, and has to search again. It costs nobody anything.`, does: "Cancel the ride", field: "Why? It may stay empty" });
    if (reason !== null) await press(null, () => seat.says("ride_cancel", { ride_id: ride.ride_id, ...(reason && { reason }) }));
  }

  function more() {
    menu($("menu-open"), [
      { words: "Open a passenger in a new window", does: () => window.open("../passenger/", "_blank", "noopener") },
      { words: client.state === "open" ? "Cut the connection for a moment" : "Come back now", does: () => (client.state === "open" ? client.cut() : client.connect()) },
      { words: "Leave", does: () => leave(who) },
    ]);
  }

  const pick = select("place");
  pick.addEventListener("change", () => {
    const at = chosen(pick);
    if (at) (place(at), (map.isHeld = false), map.fit());
  });
  $("locate").addEventListener("click", (event) => press(event, async () => (place(await located()), (map.isHeld = false), map.fit(), offerPlaces(pick, pilot.at, "Where I am on the map"))).catch(failed));
  $("go-on").addEventListener("click", (event) => press(event, () => seat.says("beacon_update", { is_active: true, ...pilot.at })));
  $("go-off").addEventListener("click", (event) => press(event, () => seat.says("beacon_update", { is_active: false })));
  $("here").addEventListener("click", (event) => press(event, async () => (await pilot.says(Date.now()), await seat.rides("pickup_arrived"))));
  $("start").addEventListener("click", (event) => press(event, async () => (await pilot.says(Date.now()), await seat.rides("ride_start"))));
  $("arrive").addEventListener("click", arrives);
  $("cancel").addEventListener("click", cancels);
  $("done").addEventListener("click", () => seat.putAway());
  $("print").addEventListener("click", () => print());
  $("menu-open").addEventListener("click", more);

  const set = () => {
    pilot.drives = input("drives").checked || input("presses").checked;
    pilot.presses = input("presses").checked;
    pilot.kmh = Number(select("kmh").value);
    input("drives").disabled = pilot.presses;
    if (pilot.presses) input("drives").checked = true;
    keep("driver", "auto", { drives: pilot.drives, presses: pilot.presses, kmh: pilot.kmh });
    soon();
  };
  const auto = kept("driver", "auto");
  input("drives").checked = auto?.drives ?? false;
  input("presses").checked = auto?.presses ?? false;
  select("kmh").value = String(auto?.kmh ?? 60);
  for (const id of ["drives", "presses", "kmh"]) $(id).addEventListener("change", set);
  set();
  offerPlaces(pick, pilot.at, "Where I am on the map");
  seat.join().catch(soon);
  client.connect();
  setInterval(() => {
    const before = pilot.at;
    pilot.turn(Date.now());
    if (pilot.at !== before) keep("driver", "place", pilot.at);
    if (seat.ride && pilot.drives) map.fit();
    turns += 1;
    if (turns % LOOK_EACH === 0 && client.state === "open") seat.look().catch(() => {});
    soon();
  }, TURN_MS);
}

door({ who, role: "driver", hinders, enter });
