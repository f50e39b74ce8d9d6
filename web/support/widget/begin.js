// The form with which a conversation begins. Whatever comes between, what was written stays until it is said.

import { $, make, tell } from "../../elements.js";
import { Failure, start } from "./calls.js";
import { tooLong } from "./composer.js";
import { settings } from "./host.js";
import { kept } from "./kept.js";
import { ofRefusal } from "./words.js";

/** @typedef {import("./kept.js").Session} Session */

/** What stands for a topic where none was given. */
const TOPIC_CHARS = 60;

const field = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ ($(id));

export class Begin {
  #begun;
  #isAsking = false;

  /** @param {(session: Session) => void} begun @param {() => void} back */
  constructor(begun, back) {
    this.#begun = begun;
    const { departments } = settings;
    $("department-field").hidden = departments.length < 2;
    $("department").replaceChildren(...departments.map(({ name, title }) => make("option", { value: name }, title)));
    $("begin-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#start();
    });
    $("begin-back").addEventListener("click", back);
    field("first").addEventListener("input", () => {
      kept.keep({ draft: field("first").value });
      tell("begin-trouble", tooLong(field("first").value.trim()));
    });
    field("first").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
      event.preventDefault();
      /** @type {HTMLFormElement} */ ($("begin-form")).requestSubmit();
    });
  }

  /** @param {string} draft @param {boolean} canGoBack @param {string} [why] */
  show(draft, canGoBack, why = "") {
    if (draft !== "") field("first").value = draft;
    if (field("name").value === "") field("name").value = kept.now.name;
    // Who has a key already has a name: it stands in the key.
    $("name-field").hidden = kept.now.user !== null && kept.now.sessions.length > 0;
    $("begin-back").hidden = !canGoBack;
    $("begin-memory").hidden = kept.lasts;
    tell("begin-trouble", why);
  }

  /** Nothing was written here yet. */
  get isEmpty() {
    return field("first").value === "" && field("topic").value === "";
  }

  focus() {
    (field("first").value === "" && field("topic").value === "" ? field("topic") : field("first")).focus();
  }

  async #start() {
    const first = field("first").value.trim();
    if (first === "") {
      tell("begin-trouble", "Write a message first: it is what we answer.");
      return field("first").focus();
    }
    if (tooLong(first) !== "" || this.#isAsking) return;
    const topic = field("topic").value.trim() || first.replace(/\s+/g, " ").slice(0, TOPIC_CHARS);
    const name = field("name").value.trim();
    const [only] = settings.departments;
    const department = settings.departments.length > 1 ? field("department").value : only?.name;
    this.#busy(true);
    try {
      const told = await start({ topic, contact_name: name || undefined, department }, kept.now.sessions[0]?.token);
      if (!told.token) throw new Failure("UNAUTHORIZED", "no token was given");
      const user = { id: told.chat_user_id, name: name || kept.now.user?.name || "Guest" };
      kept.keep({ user, name: name || kept.now.name, draft: "" });
      const session = { id: told.session_id, token: told.token, topic, at: new Date().toISOString(), status: told.status, first };
      kept.add(session);
      field("first").value = field("topic").value = "";
      tell("begin-trouble", "");
      this.#begun(session);
    } catch (error) {
      tell("begin-trouble", ofRefusal(/** @type {any} */ (error)));
      $("begin-do").scrollIntoView({ block: "nearest" });
    } finally {
      this.#busy(false);
    }
  }

  /** @param {boolean} is */
  #busy(is) {
    this.#isAsking = is;
    const button = /** @type {HTMLButtonElement} */ ($("begin-do"));
    button.setAttribute("aria-disabled", String(is));
    button.textContent = is ? "Starting…" : "Start the conversation";
  }
}
