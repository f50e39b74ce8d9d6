// What `npm pack` adds to the sources: their declarations, made by tsc into `types/`, and the licences of the project.
// None of it is committed; scripts/unpacked.js takes it away again.

import { execFileSync } from "node:child_process";
import { copyFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const HOME = join(dirname(fileURLToPath(import.meta.url)), "..");
export const LICENCES = ["LICENSE-APACHE", "LICENSE-MIT"];

/** @param {string} folder */
export function declare(folder) {
  rmSync(folder, { recursive: true, force: true });
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  const emit = ["--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--stripInternal", "--outDir", folder];
  execFileSync(process.execPath, [tsc, "--project", HOME, ...emit], { stdio: "inherit" });
  copyFileSync(join(HOME, "src/types.d.ts"), join(folder, "types.d.ts"));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  declare(join(HOME, "types"));
  for (const licence of LICENCES) copyFileSync(join(HOME, "../..", licence), join(HOME, licence));
}
