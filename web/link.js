// The connection of a page: one client, its state in words, and what to do where it is not well.

import { ofStatus as inGeneral } from "./chat/words.js";
import { Kulkul } from "./client/index.js";
import { $, duration, tell } from "./elements.js";
import { tokens } from "./tokens.js";

/** @typedef {import("../clients/js/src/types.d.ts").Status} Status */
/** @typedef {typeof import("./identity.js").identity} Identity */

const SHUT = { short: "Not connected", words: "", does: "", remedy: "connect" };

/** What a page's user has to know of it. @param {Status} status @param {string} meanwhile what becomes of what one does here */
function ofStatus(status, meanwhile) {
  const said = inGeneral(status, false);
  if (status.state === "catching-up") return { ...said, words: "Catching up with what happened meanwhile…" };
  if (status.state === "connecting" && status.attempt > 0) return { ...said, words: `Connecting again. ${meanwhile}` };
  if (status.state !== "offline") return said;
  const next = status.retryInMs === null || status.retryInMs < 1500 ? "at once" : `in ${duration(status.retryInMs)}`;
  return { ...said, words: `No connection. Trying again ${next}. ${meanwhile}` };
}

/** @typedef {{meanwhile: string, changed?: (state: string) => void, anew: () => void}} Page `anew`: out, so that one may enter by another token */

/** @param {Identity} who @param {Page} page */
export function connected(who, page) {
  const address = new URL("ws", import.meta.url);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  const source = tokens(who);
  const client = new Kulkul(address.href, { token: () => source.give(), user: who.now?.user ?? undefined });
  client.on("state", ({ state }) => state === "open" && source.taken());
  client.on("error", (error) => console.info(error.message));
  return shown(client, page);
}

/**
 * Whatever has a connection, with its state in the page's bar and banner. One that is shut is no trouble: the page asks for a token.
 * @template {{status: Status, shut?: boolean, connect: () => void, on: (type: "state", heard: (status: Status) => void) => unknown}} Client
 * @param {Client} client @param {Page} page @returns {Client}
 */
export function shown(client, { meanwhile, changed, anew }) {
  const told = () => {
    const { state } = client.status;
    const { short, words, does, remedy } = client.shut ? SHUT : ofStatus(client.status, meanwhile);
    $("page").dataset.state = $("bar").dataset.state = state;
    tell("status", short);
    $("banner").hidden = words === "";
    $("banner").dataset.state = state;
    if ($("banner-words").textContent !== words) $("banner-words").textContent = words;
    tell("banner-do", does);
    $("banner-do").onclick = () => (remedy === "reload" ? location.reload() : remedy === "anew" ? anew() : client.connect());
  };
  client.on("state", ({ state }) => {
    told();
    changed?.(state);
  });
  told();
  return client;
}
