// A match as a fold of what its room tells: the whole state at first and after every correction, one action at a time between.
// Knows no socket, no page and no time.

/** @typedef {"teamA" | "teamB"} Key */
/** @typedef {Record<string, any>} State docs/scores.md says what is in it */
/** @typedef {{number: number, at?: string, clockMs?: number | null, action?: Record<string, any>, [field: string]: any}} Line an action and what it came to */
/** @typedef {{number: number, action: Record<string, any>, line: Line, now: Record<string, any>, playerStats: Record<string, any>}} Delta */

export const TEAMS = /** @type {Key[]} */ (["teamA", "teamB"]);

/** As actions name a team. @param {string | null | undefined} team @returns {Key} */
export const keyOf = (team) => (team === "B" || team === "teamB" ? "teamB" : "teamA");
/** @param {Key} key */
export const letterOf = (key) => (key === "teamB" ? "B" : "A");
/** @param {Key} key @returns {Key} */
export const otherOf = (key) => (key === "teamA" ? "teamB" : "teamA");

/** A match has 1,200 actions at most, and what a page keeps of one is small. */
const LINES_MAX = 1200;

export class Match {
  /** @type {State | null} */
  state = null;
  /** Of actions, by their number: those that were heard or asked for. @type {Map<number, Line>} */
  lines = new Map();
  /** Whether `lines` has them all, with those that are undone or set aside. */
  whole = false;

  /** How it stands, in the place of all that was known. @param {State | null | undefined} state */
  begin(state) {
    // An answer that was overtaken by what is here already.
    if (!state || (this.state && state.matchId === this.state.matchId && state.actions < this.state.actions)) return;
    this.state = state;
    if (state.actions === 0) {
      this.lines.clear();
      this.whole = true;
    }
    for (const raid of state.raidLog ?? []) this.#put({ ...this.lines.get(raid.number), ...raid });
  }

  /** @param {Delta} delta @returns {"taken" | "known" | "behind"} behind: some before it are missing here */
  take({ number, action, line, now, playerStats }) {
    const { state } = this;
    if (!state || number > state.actions + 1) return "behind";
    if (number <= state.actions) return "known";
    this.#put({ ...line, action });
    this.state = after(state, { number, action, line, now, playerStats });
    return "taken";
  }

  /** A page of the sheet. @param {{data: State, sheet: Line[], next: number | null, count: number}} page @param {number} from */
  page({ data, sheet, next }, from) {
    this.begin(data);
    for (const line of sheet) this.#put(line);
    // What is behind is whole only if what came before it is.
    if (next === null && from === 1) this.whole = true;
  }

  /** After a correction the lines before it may be other ones: what the raids came to is in the state. @param {State} data */
  amended(data) {
    for (const [number, { raidNumber }] of this.lines) if (raidNumber !== undefined) this.lines.delete(number);
    this.whole = false;
    this.begin(data);
  }

  /** Newest last. @returns {Line[]} */
  get inOrder() {
    return [...this.lines.values()].sort((a, b) => a.number - b.number);
  }

  /** @param {Line} line */
  #put(line) {
    this.lines.set(line.number, line);
    if (this.lines.size > LINES_MAX) this.lines.delete(Math.min(...this.lines.keys()));
  }
}

/** @param {State} state @param {Delta} delta @returns {State} */
function after(state, { number, action, line, now, playerStats }) {
  const { score } = now;
  const next = { ...state, ...now, actions: number, playerStats: { ...state.playerStats } };
  for (const [id, player] of Object.entries(playerStats ?? {})) next.playerStats[id] = player;
  for (const key of TEAMS) {
    const onMat = new Set(now.mat[key]);
    for (const [id, player] of Object.entries(next.playerStats)) {
      const status = onMat.has(id) ? "in" : player.team === key && player.status === "in" ? "bench" : player.status;
      if (status !== player.status) next.playerStats[id] = { ...player, status };
    }
    next[key] = { ...state[key], score: score[key], onMat: now.mat[key].length };
  }
  said(state, next, action);
  if (line.raidNumber !== undefined) raided(next, line);
  counted(next, line);
  for (const key of TEAMS) {
    const squad = Object.values(next.playerStats).filter(({ team, status }) => team === key && status !== "bench");
    next[`${key}PlayerIds`] = ordered(state[`${key}PlayerIds`] ?? [], squad.map(({ id }) => id));
  }
  next.awards = awards(next);
  return next;
}

/** As they stood, and whoever is new where an id has its place: squads are mostly named in the order of their ids.
 * @param {string[]} before @param {string[]} ids */
export function ordered(before, ids) {
  const list = before.filter((id) => ids.includes(id));
  for (const id of ids.filter((one) => !list.includes(one))) {
    const at = list.findIndex((one) => one > id);
    list.splice(at === -1 ? list.length : at, 0, id);
  }
  return list;
}

/** What an action changes besides what comes with every action. @param {State} before @param {State} next @param {Record<string, any>} action */
function said(before, next, action) {
  const team = action.team === undefined || action.team === null ? null : keyOf(action.team);
  const less = (/** @type {string} */ field) => team && (next[team] = { ...next[team], [field]: Math.max(0, next[team][field] - 1) });
  switch (action.type) {
    case "toss":
      next.tossWinner = keyOf(action.winner);
      next.tossDecision = action.decision;
      next.firstRaidingTeam = action.decision === "raid" ? next.tossWinner : otherOf(next.tossWinner);
      break;
    case "substitute":
      less("substitutionsLeft");
      break;
    case "time_out":
      less("timeOutsLeft");
      break;
    case "decide_review": {
      // One that is upheld is kept.
      const key = keyOf(before.review?.team);
      if (before.review && !action.upheld) next[key] = { ...next[key], reviewsLeft: Math.max(0, next[key].reviewsLeft - 1) };
      break;
    }
    case "name_tie_raiders":
      if (team) next[team] = { ...next[team], tieRaiderIds: action.playerIds };
      break;
  }
}

/** @param {State} next @param {Line} line */
function raided(next, line) {
  const { action: _, raidDetails, ...raid } = line;
  next.raidLog = [...(next.raidLog ?? []), raid];
  next.raidCount = (next.raidCount ?? 0) + 1;
  next.raidDetails = raidDetails ?? null;
  const raiding = keyOf(line.raidingTeam);
  const defence = otherOf(raiding);
  if (line.superRaid) next[raiding] = { ...next[raiding], superRaids: next[raiding].superRaids + 1 };
  if (line.superTackle) next[defence] = { ...next[defence], superTackles: next[defence].superTackles + 1 };
  if (!line.tieBreak) return;
  for (const key of TEAMS) next[key] = { ...next[key], tiePoints: next[key].tiePoints + (line.gained?.[key] ?? 0) };
  if (next.phase !== "after_golden_raid") next[raiding] = { ...next[raiding], tieRaids: next[raiding].tieRaids + 1 };
}

/** Where the points of each side came from: its players' own, those for an empty mat, and what is left. @param {State} next @param {Line} line */
function counted(next, line) {
  if (line.gained && line.at && !Number.isNaN(Date.parse(line.at))) next.lastScoreChangeAt = Math.floor(Date.parse(line.at) / 1000);
  for (const key of TEAMS) {
    const players = Object.values(next.playerStats).filter(({ team }) => team === key);
    const sum = (/** @type {string} */ field) => players.reduce((all, player) => all + player[field], 0);
    const cleared = line.allOutTeam === otherOf(key) ? ALL_OUT_POINTS : 0;
    const [touch, bonus, tackle] = [sum("touchPoints"), sum("bonusPoints"), sum("defencePoints")];
    const allOut = next[key].points.allOut + cleared;
    const technical = next[key].score - touch - bonus - tackle - allOut;
    next[key] = { ...next[key], points: { touch, bonus, tackle, allOut, technical } };
  }
}

/** In every profile. */
export const ALL_OUT_POINTS = 2;

/** Who has done best: of several with as many points the one with the fewest raids and catches, then who stands first.
 * @param {State} state */
function awards(state) {
  const { playerStats } = state;
  const squads = TEAMS.flatMap((key) => ordered(state[`${key}PlayerIds`], Object.keys(playerStats).filter((id) => playerStats[id].team === key)));
  const inOrder = squads.map((id) => playerStats[id]);
  const best = (/** @type {(player: any) => number} */ points) => {
    let found = /** @type {any} */ (null);
    for (const player of inOrder) {
      if (points(player) === 0) continue;
      const tried = player.totalRaids + player.totalTackles;
      if (!found || points(player) > points(found) || (points(player) === points(found) && tried < found.totalRaids + found.totalTackles)) found = player;
    }
    return found && { playerId: found.id, name: found.name, points: points(found) };
  };
  return { mvp: best((player) => player.totalPoints), bestRaider: best((player) => player.raidPoints), bestDefender: best((player) => player.defencePoints) };
}
