// Squads as people write them: one name a line, with a number where they have one. Knows no page.

/** @typedef {{id: string, name: string, number?: number}} Player */
/** @typedef {{players: Player[], captainId?: string, viceCaptainId?: string, faults: string[]}} Squad */

/** In every profile. */
export const [SQUAD_MIN, SQUAD_MAX] = [7, 12];
const NAME_MAX = 60;

/**
 * "7 Asha (c)", "7. Asha", "Asha, 7", "#7 Asha": all the same. (c) marks the captain, (vc) who stands in for the captain.
 * @param {string} text
 * @param {string} prefix of the ids: a player is one player, of one squad
 * @returns {Squad}
 */
export function squadOf(text, prefix) {
  const squad = /** @type {Squad} */ ({ players: [], faults: [] });
  const lines = text.split(/[\r\n]+/).map((line) => line.trim()).filter((line) => line !== "");
  const numbers = new Set();
  for (const line of lines) {
    const mark = /\((v?c)\)/i.exec(line)?.[1]?.toLowerCase();
    const plain = line.replace(/\(v?c\)/gi, "").trim();
    const [, before, rest] = /^(?:#|no\.?\s*)?(\d{1,3})[\s.,:;)\t-]+(.+)$/i.exec(plain) ?? [null, undefined, plain];
    const [, named, after] = before === undefined ? (/^(.+?)[\s,;:#(\t-]+(\d{1,3})\)?$/.exec(String(rest)) ?? [null, rest, undefined]) : [null, rest, undefined];
    const name = String(named).trim();
    const id = `${prefix}${String(squad.players.length + 1).padStart(2, "0")}`;
    const number = before ?? after;
    if (number !== undefined && Number(number) > 99) squad.faults.push(`${name}: the number ${number} is above 99.`);
    if (number !== undefined && numbers.has(Number(number))) squad.faults.push(`${name}: the number ${number} stands twice.`);
    if (name.length > NAME_MAX) squad.faults.push(`${name.slice(0, 20)}…: a name has at most ${NAME_MAX} characters.`);
    if (number !== undefined) numbers.add(Number(number));
    squad.players.push({ id, name, ...(number !== undefined && { number: Number(number) }) });
    if (mark === "c") squad.captainId = id;
    if (mark === "vc") squad.viceCaptainId = id;
  }
  const many = squad.players.length;
  if (many < SQUAD_MIN) squad.faults.push(`${many === 0 ? "No players yet" : many === 1 ? "One player" : `${many} players`}: a squad has ${SQUAD_MIN} to ${SQUAD_MAX}, so ${SQUAD_MIN - many} more.`);
  if (many > SQUAD_MAX) squad.faults.push(`${many} players: a squad has at most ${SQUAD_MAX}, so ${many - SQUAD_MAX} fewer.`);
  return squad;
}

/** As it would be written. @param {{players: {name: string, number?: number, isCaptain?: boolean, isViceCaptain?: boolean}[]}} squad */
export function textOf({ players }) {
  return players.map(({ name, number, isCaptain, isViceCaptain }) => `${number === undefined ? "" : `${number} `}${name}${isCaptain ? " (c)" : isViceCaptain ? " (vc)" : ""}`).join("\n");
}

/** For whoever wants to try it: two squads that are ready. */
export const READY = {
  teamA: { name: "Uluwatu", text: "1 Wayan (c)\n4 Made\n7 Nyoman (vc)\n9 Ketut\n11 Putu\n15 Kadek\n18 Komang\n21 Gede\n23 Luh" },
  teamB: { name: "Batur", text: "2 Agung (c)\n3 Ayu\n5 Bagus\n8 Dewi (vc)\n10 Indra\n13 Oka\n17 Rai\n20 Sari\n24 Surya" },
};
