// Why somebody did or did not get a message: the server says what it knows, one finding after the other, and this shows it.

import { make } from "../elements.js";
import { call } from "./ask.js";
import { link, when } from "./shown.js";

const VERDICTS = /** @type {Record<string, string>} */ ({ got: "Sent", waits: "On its way", did_not: "Not sent", unknown: "Not known" });

/** @param {any} finding */
function found(finding) {
  return make("li", { class: "finding", "data-what": finding.what },
    make("p", {}, finding.says),
    make("p", { class: "hint" }, `By ${finding.because}${finding.at ? `, ${when(finding.at)}` : ""}`, finding.connection ? ". Connection " : ".", finding.connection ? link(`#/connections/${finding.connection}`, finding.connection) : ""));
}

/** @param {import("./console.js").Panel} panel @param {{asked: URLSearchParams}} address */
export function explain(panel, { asked }) {
  const [room, offset, user] = ["room", "offset", "user"].map((name) => asked.get(name) ?? "");
  const field = (/** @type {string} */ name, /** @type {string} */ label, /** @type {string} */ value, /** @type {string} */ placeholder) =>
    make("div", { class: "field" }, make("label", { for: `explain-${name}` }, label), make("input", { id: `explain-${name}`, name, value, placeholder, required: true, autocomplete: "off", spellcheck: "false" }));
  const form = make("form", { class: "filter" },
    field("room", "Room", room, "chat:general"), field("offset", "Message’s id, or its offset", offset, "17"), field("user", "User’s id", user, "7"),
    make("button", { type: "submit" }, "Explain"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const next = `#/explain?${new URLSearchParams(/** @type {any} */ (new FormData(/** @type {HTMLFormElement} */ (form))))}`;
    // Asked once more, things may stand otherwise.
    if (location.hash === next) dispatchEvent(new HashChangeEvent("hashchange"));
    else location.hash = next;
  });
  const answer = make("div", { id: "answer" });
  panel.show("Explain", "Why did somebody get a message, or not? Its id stands in the end of a room’s log.", form, answer);
  if (!room || !offset || !user) {
    answer.append(make("p", { class: "nothing" }, "Say a room, a message and a user. What is known goes back an hour for connections, and as far as the log is kept for messages."));
    return;
  }
  void panel.tries(async () => {
    const told = await call("explain", { query: { room, offset, user } });
    if (panel.isOver) return;
    answer.replaceChildren(
      make("section", { class: "card verdict", "data-verdict": told.verdict, "aria-labelledby": "verdict" },
        make("h2", { id: "verdict", role: "status" }, VERDICTS[told.verdict] ?? told.verdict), make("p", {}, told.says)),
      make("h2", {}, "What is known"),
      make("ol", { class: "findings" }, ...told.findings.map(found)),
      make("p", { class: "hint" }, `By the node ${told.node}, which remembers since ${when(told.remembers_since)}. Each node remembers its own connections.`),
      ...(told.silent_shards.length > 0 ? [make("p", { class: "trouble" }, `No answer in time of the shards ${told.silent_shards.join(", ")}: connections may be missing. Ask again.`)] : []),
    );
  });
}
