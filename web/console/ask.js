// One question to the server, by the operator's key. The key is kept for this tab and sent in a header: there is no cookie, so no other page
// can ask in its name.

const KEPT = "kulkul-operator-key";
/** A node that does not answer within this is away, as far as a page can tell. */
const WITHIN_MS = 15_000;

/** The server has answered, and not what was asked for. */
export class Refused extends Error {
  /** @param {number} status @param {{error?: string, code?: string, field?: string, retry_after_ms?: number}} body */
  constructor(status, body) {
    super(body.error ?? `The server said ${status}.`);
    this.status = status;
    this.code = body.code ?? "";
    this.field = body.field ?? "";
  }
}

/** Nobody has answered. */
export class Away extends Error {}

export const key = {
  get now() {
    return sessionStorage.getItem(KEPT) ?? "";
  },
  /** @param {string} text */
  keep(text) {
    sessionStorage.setItem(KEPT, text);
  },
  forget() {
    sessionStorage.removeItem(KEPT);
  },
};

/** A name as a part of a path. @param {string} text */
export const part = (text) => encodeURIComponent(text).replaceAll("%3A", ":");

/**
 * @param {string} path such as "rooms", from the server's root
 * @param {{query?: Record<string, string | number | null | undefined>, method?: string, body?: unknown, by?: string}} [asked]
 * @returns {Promise<any>}
 */
export async function call(path, { query = {}, method = "GET", body, by = key.now } = {}) {
  const url = new URL(`../${path}`, import.meta.url);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  /** @type {Record<string, string>} */
  const headers = { "X-API-Key": by };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response, text;
  try {
    response = await fetch(url, { method, headers, body: body === undefined ? null : JSON.stringify(body), signal: AbortSignal.timeout(WITHIN_MS), credentials: "omit" });
    text = await response.text();
  } catch {
    throw new Away("The node does not answer.");
  }
  /** @type {any} */
  let told = {};
  try {
    told = text === "" ? {} : JSON.parse(text);
  } catch {
    told = { error: `The server said ${response.status}, and nothing that this page can read. Is something else in front of it?` };
    if (response.ok) throw new Refused(response.status, told);
  }
  if (!response.ok) throw new Refused(response.status, told);
  return told;
}
