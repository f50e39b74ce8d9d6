// The connection of a page of the staff: one client, its state in words, and what to do where it is not well.

import { Kulkul } from "../client/index.js";
import { $, colour, tell } from "../elements.js";
import { toast } from "../overlays.js";
import { tokens } from "../tokens.js";
import { leave, staff } from "./door.js";
import { ofRefusal, ofStatus } from "./words.js";

const AGAIN_MS = 1000;

/** @param {(state: string) => void} changed @param {() => string} fate what becomes of one's duty meanwhile */
export function connected(changed, fate) {
  const me = /** @type {{id: string, name: string}} */ (staff.now?.user);
  $("doorway").hidden = true;
  $("inside").hidden = false;
  tell("my-name", me.name);
  colour($("my-face"), me);
  const address = new URL("../ws", import.meta.url);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  const source = tokens(staff);
  const client = new Kulkul(address.href, { token: () => source.give(), user: me });

  const told = () => {
    const { state } = client.status;
    const { short, words, does, remedy } = ofStatus(client.status, false);
    $("inside").dataset.state = $("bar").dataset.state = state;
    tell("status", short);
    $("banner").hidden = words === "";
    $("banner").dataset.state = state;
    if ($("banner-words").textContent !== words) $("banner-words").textContent = words;
    // Beside what is read out: its seconds would be read out each.
    tell("banner-fate", words === "" ? "" : fate());
    tell("banner-do", does);
    $("banner-do").onclick = () => (remedy === "reload" ? location.reload() : remedy === "anew" ? leave() : client.connect());
  };
  client.on("state", ({ state }) => {
    if (state === "open") source.taken();
    changed(state);
    told();
  });
  client.on("error", (error) => toast(ofRefusal(error)));
  client.on("announcement", ({ payload }) => typeof payload?.text === "string" && toast(payload.text));
  // The seconds until one is off duty run.
  setInterval(() => client.state !== "open" && told(), AGAIN_MS);
  return { client, me };
}
