// The support chat on any page, by one script tag:
//
//   <script src="https://chat.example.org/support/widget.js" data-title="Support" async></script>
//
// A button in the corner, and the visitor's window in a frame from where this file came. What is said, and the token that says
// it, stay in that frame: this page learns how many messages are unread, and no more. It draws in a shadow root with sheets of
// its own, so neither the page's styles nor a strict policy for styles is in the way.
//
// window.KulkulSupport: open(), close(), isOpen, unread, and onUnread(listener), which gives back what takes it off again.

(() => {
  "use strict";

  // A page that carries the tag twice has one button.
  if (window.KulkulSupport) return;

  const script = /** @type {HTMLScriptElement | null} */ (document.currentScript);
  // Without the tag nobody knows where the window is.
  if (!script?.src) return;

  const asked = script.dataset;
  const title = (asked.title ?? "").trim() || "Support";
  const FRAME = new URL("widget/", script.src);
  /** Of the frame: whatever else speaks to this page is not heard. */
  const THERE = FRAME.origin;
  FRAME.hash = new URLSearchParams({
    host: location.origin,
    title,
    department: asked.department ?? "",
    sound: asked.sound === "on" ? "on" : "off",
  }).toString();

  /** A frame that says nothing for so long after it was loaded is not ours: the server does not let this page have it. */
  const SILENCE_MS = 4_000;
  /** And one that does not even load. */
  const LOAD_MS = 20_000;

  /** Where there is no place for a window within the window. */
  const SMALL = "(max-width: 30rem), (max-height: 26rem)";
  const SHEET = `
    :host { all: initial !important; }
    * { box-sizing: border-box; }
    .corner { position: fixed; right: 1.25rem; bottom: 1.25rem; z-index: 2147483000; font: 16px/1.4 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; color-scheme: light dark; }
    .launch {
      position: relative; display: grid; place-items: center; width: 3.75rem; height: 3.75rem; margin: 0; padding: 0; border: 0; border-radius: 50%;
      background: #b53a22; color: #fffaf1; cursor: pointer; box-shadow: 0 1px 0 rgb(255 250 241 / .35) inset, 0 14px 30px -12px rgb(60 20 10 / .75);
      transition: transform .15s ease-out, background .15s;
    }
    .launch:hover { background: #c64a30; transform: translateY(-2px); }
    .launch:active { transform: translateY(1px); }
    .launch:focus-visible { outline: 3px solid #b53a22; outline-offset: 3px; box-shadow: 0 0 0 3px #fffaf1; }
    .launch svg { width: 2.3rem; height: 2.3rem; fill: none; stroke: currentColor; stroke-linecap: round; }
    .launch .close, [data-open] .launch .drum { display: none; }
    [data-open] .launch .close { display: block; }
    .launch .wood { fill: currentColor; stroke: none; }
    .launch .slit { stroke: #b53a22; stroke-width: 4.4; }
    .badge {
      position: absolute; top: -.2rem; right: -.2rem; min-width: 1.45rem; height: 1.45rem; padding: 0 .35rem; border-radius: 1rem; background: #2a1d15; color: #fffaf1;
      border: 2px solid #fffaf1; font: 700 .78rem/1.2rem system-ui, sans-serif; text-align: center; font-variant-numeric: tabular-nums;
    }
    .unread .drum .ring { animation: ring 1.6s ease-out infinite; }
    @keyframes ring { 0%, 55%, 100% { opacity: 1; } 20% { opacity: .25; } }
    .panel {
      position: absolute; right: 0; bottom: 4.75rem; width: min(25rem, 100vw - 2.5rem); height: min(42rem, 100vh - 7.5rem); height: min(42rem, 100dvh - 7.5rem);
      border-radius: 1.1rem; overflow: hidden; background: #f7f1e6; border: 1px solid #dfd1bb; box-shadow: 0 30px 70px -25px rgb(42 20 10 / .65);
      animation: rise .2s ease-out;
    }
    @keyframes rise { from { opacity: 0; transform: translateY(12px); } }
    [hidden] { display: none !important; }
    iframe { display: block; width: 100%; height: 100%; border: 0; background: transparent; color-scheme: light dark; }
    .refused { position: absolute; inset: 0; display: grid; place-content: center; gap: .8rem; padding: 2rem; text-align: center; background: #f7f1e6; color: #2a1d15; }
    .refused p { margin: 0; }
    .refused a { color: #b53a22; font-weight: 600; }
    .refused button { justify-self: center; font: inherit; font-weight: 600; padding: .5rem 1.1rem; min-height: 2.75rem; border-radius: .7rem; border: 1.5px solid #b53a22; background: transparent; color: #b53a22; cursor: pointer; }
    .out { position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
    @media (prefers-color-scheme: dark) {
      .panel, .refused { background: #17110d; border-color: #3a2c22; color: #f2e7d8; }
      .refused a, .refused button { color: #ee7a5c; border-color: #ee7a5c; }
    }
    @media ${SMALL} {
      .corner { right: 1rem; bottom: 1rem; }
      [data-open] { inset: 0; }
      [data-open] .launch { display: none; }
      .panel { position: fixed; inset: 0 0 auto 0; width: auto; height: 100vh; height: 100dvh; border: 0; border-radius: 0; }
    }
    @media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
    @media print { .corner { display: none; } }
  `;

  /** What this page remembers of the window: that an answer may come, and that it stood open. Never to whom. Storage may be
   * turned off, which throws where it is named; then the window begins closed on every page. */
  const session = () => sessionStorage;
  const local = () => localStorage;
  const KEPT = "kulkul.support.";

  /** @param {() => Storage} storage @param {string} name */
  function noted(storage, name) {
    try {
      return storage().getItem(KEPT + name) === "yes";
    } catch {
      return false;
    }
  }

  /** @param {() => Storage} storage @param {string} name @param {boolean} is */
  function note(storage, name, is) {
    try {
      if (is) storage().setItem(KEPT + name, "yes");
      else storage().removeItem(KEPT + name);
    } catch {
      // As above.
    }
  }

  /** @param {string} tag @param {Record<string, string>} attributes @param {...(Node | string)} children */
  function make(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  /** Drawn by elements and not by a text: pages may forbid what reads HTML from texts.
   * @param {string} name @param {[string, Record<string, string>][]} parts */
  function draw(name, parts) {
    const SVG = "http://www.w3.org/2000/svg";
    const drawing = document.createElementNS(SVG, "svg");
    const set = (/** @type {Element} */ element, /** @type {Record<string, string>} */ values) =>
      Object.entries(values).forEach(([key, value]) => element.setAttribute(key, value));
    set(drawing, { viewBox: "0 0 64 64", class: name, "aria-hidden": "true", focusable: "false" });
    for (const [tag, values] of parts) {
      const part = document.createElementNS(SVG, tag);
      set(part, values);
      drawing.append(part);
    }
    return drawing;
  }

  const launch = /** @type {HTMLButtonElement} */ (make("button", { type: "button", class: "launch", "aria-expanded": "false", "aria-haspopup": "dialog" },
    draw("drum", [
      ["path", { d: "M32 4v8", "stroke-width": "3" }],
      ["path", { class: "wood", d: "M22 15c0-5 20-5 20 0v35c0 10-20 10-20 0z" }],
      ["path", { class: "slit", d: "M32 27v20" }],
      ["path", { class: "ring", d: "M14 27c-4 6-4 14 0 20M50 27c4 6 4 14 0 20", "stroke-width": "3.4" }],
      ["path", { class: "ring", d: "M7 21c-7 10-7 22 0 32M57 21c7 10 7 22 0 32", "stroke-width": "2.8", opacity: ".55" }],
    ]),
    draw("close", [["path", { d: "M20 26l12 12 12-12", "stroke-width": "5", "stroke-linejoin": "round" }]])));
  const badge = make("span", { class: "badge", "aria-hidden": "true", hidden: "" });
  const heard = make("p", { class: "out", role: "status" });
  const panel = make("div", { class: "panel", role: "dialog", "aria-label": title, hidden: "" });
  const corner = make("div", { class: "corner" }, panel, launch, heard);
  launch.append(badge);

  let frame = /** @type {HTMLIFrameElement | null} */ (null);
  /** The frame has said that it is ours. */
  let isReady = false;
  let isOpen = false;
  /** It was opened here, and not found open. */
  let wantsFocus = false;
  let unread = 0;
  let silence = 0;
  /** Where the focus goes back to. @type {Element | null} */
  let before = null;
  /** @type {Set<(count: number) => void>} */
  const listeners = new Set();

  /** @param {"opened" | "closed"} does @param {boolean} [focus] the person has just asked for it */
  function tell(does, focus = false) {
    if (isReady) frame?.contentWindow?.postMessage({ kulkul: "support", does, focus }, THERE);
  }

  /** The window, loaded when it is first wanted: a page of which nobody asks anything pays nothing. */
  function load() {
    if (frame) return;
    frame = /** @type {HTMLIFrameElement} */ (make("iframe", { title, allow: "autoplay", src: FRAME.href }));
    clearTimeout(silence);
    silence = setTimeout(refused, LOAD_MS);
    frame.addEventListener("load", () => {
      clearTimeout(silence);
      if (!isReady) silence = setTimeout(refused, SILENCE_MS);
    });
    panel.replaceChildren(frame);
  }

  /** Where the server lets no page like this one have its window, it still has one of its own. */
  function refused() {
    if (isReady) return;
    const alone = new URL(FRAME);
    alone.hash = new URLSearchParams({ title, department: asked.department ?? "" }).toString();
    const link = make("a", { href: alone.href, target: "_blank", rel: "noopener" }, "Open it in a window of its own");
    const close = make("button", { type: "button" }, "Close");
    close.addEventListener("click", shut);
    const words = make("div", { class: "refused", role: "alert" }, make("p", {}, "The chat does not open on this page."), make("p", {}, link), close);
    frame = null;
    panel.replaceChildren(words);
    if (isOpen) link.focus();
  }

  function open() {
    if (isOpen) return;
    isOpen = true;
    const { activeElement } = document;
    before = activeElement === host || activeElement === document.body ? launch : activeElement;
    note(session, "open", true);
    show();
    load();
    wantsFocus = true;
    frame?.focus();
    tell("opened", true);
  }

  function shut() {
    if (!isOpen) return;
    const had = document.activeElement === host;
    isOpen = false;
    note(session, "open", false);
    show();
    // Where nobody took the focus elsewhere meanwhile it goes back to where it came from.
    if (had) /** @type {HTMLElement} */ (before?.isConnected ? before : launch).focus();
    tell("closed");
  }

  function show() {
    panel.hidden = !isOpen;
    corner.toggleAttribute("data-open", isOpen);
    launch.classList.toggle("unread", unread > 0);
    launch.setAttribute("aria-expanded", String(isOpen));
    const news = unread === 1 ? ", 1 new message" : `, ${unread} new messages`;
    launch.setAttribute("aria-label", isOpen ? `Close ${title}` : `${title}${unread > 0 ? news : ""}`);
    badge.hidden = unread === 0;
    badge.textContent = unread > 99 ? "99+" : String(unread);
    fit();
  }

  /** On a telephone the window is as high as what the keyboard leaves of the screen. */
  function fit() {
    const seen = window.visualViewport;
    const isWhole = isOpen && seen && matchMedia(SMALL).matches && seen.scale === 1;
    panel.style.top = isWhole ? `${seen.offsetTop}px` : "";
    panel.style.height = isWhole ? `${seen.height}px` : "";
  }

  /** @param {number} count */
  function counts(count) {
    if (count === unread) return;
    const isMore = count > unread;
    unread = count;
    show();
    heard.textContent = isMore && !isOpen ? `${title}: ${count === 1 ? "1 new message" : `${count} new messages`}` : "";
    for (const listener of [...listeners]) {
      try {
        listener(count);
      } catch (error) {
        // The page's own fault, and the page's to see.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  addEventListener("message", ({ data, origin, source }) => {
    if (!frame || source !== frame.contentWindow || origin !== THERE || data?.kulkul !== "support") return;
    if (data.does === "ready") {
      clearTimeout(silence);
      isReady = true;
      if (isOpen) tell("opened", wantsFocus);
    } else if (data.does === "unread" && Number.isSafeInteger(data.count) && data.count >= 0) {
      counts(data.count);
    } else if (data.does === "begun" || data.does === "over") {
      note(local, "begun", data.does === "begun");
    } else if (data.does === "close") {
      shut();
    }
  });

  launch.addEventListener("click", () => (isOpen ? shut() : open()));
  corner.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !isOpen) return;
    event.stopPropagation();
    shut();
  });

  for (const change of ["resize", "scroll"]) window.visualViewport?.addEventListener(change, fit);

  const host = document.createElement("kulkul-support");
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(SHEET);
  root.adoptedStyleSheets = [sheet];
  root.append(corner);
  show();

  window.KulkulSupport = Object.freeze({
    open,
    close: shut,
    get isOpen() {
      return isOpen;
    },
    get unread() {
      return unread;
    },
    /** @param {(count: number) => void} listener told at every change */
    onUnread(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  });

  function begin() {
    document.body.append(host);
    // Whoever goes from page to page keeps the window as it was; whoever only waits for an answer keeps the number.
    if (noted(session, "open")) {
      isOpen = true;
      before = launch;
      show();
      load();
    } else if (noted(local, "begun")) {
      load();
    }
  }
  if (document.body) begin();
  else addEventListener("DOMContentLoaded", begin, { once: true });
})();
