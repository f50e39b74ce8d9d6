// The clocks of a match, run on from what was told of them: the server's time as far as it can be known here, what is left of a
// half, of a raid, of a time-out. Knows no timer: whoever shows a clock asks for it again.

/** How far this machine's clock is from the server's. */
export class Skew {
  /** What to take off here to have the server's time. @type {number | null} */
  #ms = null;

  /** An answer to what was asked just now. @param {string | undefined} timestamp @param {number} now */
  answered(timestamp, now) {
    const ms = now - Date.parse(timestamp ?? "");
    if (!Number.isNaN(ms)) this.#ms = ms;
  }

  /** Any frame with a time: what came fastest is nearest; what is old says nothing. @param {string | undefined} timestamp @param {number} now */
  hear(timestamp, now) {
    const ms = now - Date.parse(timestamp ?? "");
    if (!Number.isNaN(ms) && (this.#ms === null || ms < this.#ms)) this.#ms = ms;
  }

  /** @param {number} now */
  at(now) {
    return now - (this.#ms ?? 0);
  }
}

/** What is left of the half. Null: it has no end. @param {Record<string, any> | null | undefined} clock @param {number} at */
export function halfLeft(clock, at) {
  if (!clock || clock.remainingMs === null || clock.remainingMs === undefined) return null;
  const ran = clock.running && clock.since ? Math.max(0, at - Date.parse(clock.since)) : 0;
  return Math.max(0, clock.remainingMs - ran);
}

/** What is left of the raid that is on. Null: none is. @param {Record<string, any> | null | undefined} clock @param {number} at */
export function raidLeft(clock, at) {
  const raid = clock?.raid;
  if (!raid) return null;
  const ran = raid.pausedAfterMs ?? at - Date.parse(raid.since);
  return Math.min(raid.lengthMs, Math.max(0, raid.lengthMs - ran));
}

/** Until the next raid must have begun. Null: nothing runs. @param {Record<string, any> | null | undefined} clock @param {number} at */
export function nextRaidLeft(clock, at) {
  return clock?.nextRaidBy && !clock.raid ? Math.max(0, Date.parse(clock.nextRaidBy) - at) : null;
}

/** @param {{endsAt: string} | null | undefined} timeOut @param {number} at */
export const timeOutLeft = (timeOut, at) => (timeOut ? Math.max(0, Date.parse(timeOut.endsAt) - at) : null);

/** 12:05, as a score board has it: a second that has begun counts. @param {number | null | undefined} ms */
export function minutes(ms) {
  if (ms === null || ms === undefined) return "";
  const seconds = Math.ceil(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** Whole seconds, at least 0. @param {number | null | undefined} ms */
export const seconds = (ms) => (ms === null || ms === undefined ? "" : String(Math.ceil(ms / 1000)));

/** 7:30 or 7.5 or 7 as milliseconds; null: it is none. @param {string} text */
export function asMs(text) {
  const parts = /^(\d{1,2}):([0-5]?\d)$/.exec(text.trim());
  if (parts) return (Number(parts[1]) * 60 + Number(parts[2])) * 1000;
  const number = /^\d{1,2}([.,]\d)?$/.test(text.trim()) ? Number(text.trim().replace(",", ".")) : Number.NaN;
  return Number.isNaN(number) ? null : Math.round(number * 60_000);
}
