// What is asked by HTTP, because it comes before the socket or beside it: to begin a conversation, whether its key still opens
// it, and what was said as a page that prints.

const ROOT = new URL("../../api/chat/", import.meta.url);
/** A server that takes longer is taken for one that is away. */
const ANSWER_MS = 15_000;

/** Why a call was not answered as was hoped. Go by `code`; AWAY: nobody answered. */
export class Failure extends Error {
  /** @param {string} code @param {string} message @param {{status?: number, retryAfterMs?: number, ref?: string}} [more] */
  constructor(code, message, { status = 0, retryAfterMs, ref } = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.ref = ref;
  }
}

/** @param {string} path @param {{token?: string, body?: object}} asked */
async function call(path, { token, body }) {
  const headers = /** @type {Record<string, string>} */ ({});
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers["Content-Type"] = "application/json";
  let response;
  try {
    const options = { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), cache: /** @type {const} */ ("no-store") };
    response = await fetch(new URL(path, ROOT), { ...options, signal: AbortSignal.timeout(ANSWER_MS) });
  } catch {
    throw new Failure("AWAY", "the server does not answer");
  }
  if (response.ok) return response;
  const said = await response.json().catch(() => ({}));
  // Refused before anybody read it, the reason stands alone.
  const { message = said.error ?? `the server answered ${response.status}`, error: code = "", data = {} } = said;
  const seconds = Number(response.headers.get("Retry-After") ?? NaN);
  const retryAfterMs = data.retry_after_ms ?? (Number.isFinite(seconds) ? seconds * 1000 : undefined);
  const plain = response.status === 404 && !said.message ? "there is no support chat on this server" : message;
  throw new Failure(code === message ? "" : code, plain, { status: response.status, retryAfterMs, ref: data.ref });
}

/**
 * A conversation, and the token for it. With the token of an earlier one it is the same visitor's; one that has ended is left out.
 * @param {{topic: string, contact_name?: string, department?: string}} asked @param {string | undefined} token
 * @returns {Promise<{session_id: string, chat_user_id: string, status: string, token: string, topic: string}>}
 */
export async function start(asked, token) {
  try {
    const response = await call("start", { token, body: asked });
    return (await response.json()).data;
  } catch (error) {
    if (token && /** @type {Failure} */ (error).status === 401) return start(asked, undefined);
    throw error;
  }
}

/** Whether the server takes the token no more; while it is away nobody knows. @param {string} id @param {string} token */
export async function isEnded(id, token) {
  try {
    await call(`session/${id}`, { token });
    return false;
  } catch (error) {
    return /** @type {Failure} */ (error).status === 401;
  }
}

/** A page with styles of its own, which a window under this page's policy would not show: it is saved as a file.
 * @param {string} id @param {string} token */
export async function transcript(id, token) {
  return (await call(`session/${id}/transcript?format=html`, { token })).blob();
}
