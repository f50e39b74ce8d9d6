// The page around the window, if there is one: when the window is open, and what that page may know, which is whether an answer is
// waited for, and how many messages are unread. Only the page that the frame stands in is heard, under the origin that it named; a
// page that lied is told nothing.

/** What the tag on the page says. */
const asked = new URLSearchParams(location.hash.slice(1));

/** "licences" or "licences=Licences, payments=Payments". @param {string} text */
function departmentsOf(text) {
  const named = text.split(",").map((part) => part.split("=").map((word) => word.trim()));
  return named.filter(([name]) => /^[A-Za-z0-9_-]{1,40}$/.test(name)).map(([name, title]) => ({ name, title: title || name }));
}

export const settings = {
  title: (asked.get("title") ?? "").trim() || "Support",
  departments: departmentsOf(asked.get("department") ?? ""),
  sound: asked.get("sound") === "on",
};

/** @param {string | null} origin as the page names its own */
function checked(origin) {
  try {
    const real = /** @type {DOMStringList | undefined} */ (location.ancestorOrigins)?.[0];
    return origin && new URL(origin).origin === origin && (real ?? origin) === origin ? origin : null;
  } catch {
    return null;
  }
}

export class Host {
  /** @param {{opened: (focus: boolean) => void, closed: () => void}} ears */
  constructor(ears) {
    this.origin = parent === window ? null : checked(asked.get("host"));
    /** Without a page around it the window is always open. */
    this.isOpen = parent === window;
    if (this.origin === null) return;
    addEventListener("message", ({ data, origin, source }) => {
      if (source !== parent || origin !== this.origin || data?.kulkul !== "support") return;
      if (data.does !== "opened" && data.does !== "closed") return;
      this.isOpen = data.does === "opened";
      if (this.isOpen) ears.opened(data.focus === true);
      else ears.closed();
    });
    this.tell("ready");
  }

  /** Whether somebody can look at the window. */
  get isShown() {
    return this.isOpen && !document.hidden;
  }

  /** @param {"ready" | "begun" | "over" | "close" | "unread"} does @param {{count?: number}} [more] */
  tell(does, more = {}) {
    if (this.origin !== null) parent.postMessage({ kulkul: "support", does, ...more }, this.origin);
  }
}
