// What `npm pack` ships, made by tsc: `dist/`, the sources without their comments, and `types/`, their declarations; and the
// licences of the project. None of it is committed; scripts/unpacked.js takes it away again.

import { execFileSync } from "node:child_process";
import { copyFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const HOME = join(dirname(fileURLToPath(import.meta.url)), "..");
export const MADE = ["dist", "types", "LICENSE-APACHE", "LICENSE-MIT"];

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  const emit = (...options) => execFileSync(process.execPath, [tsc, "--project", HOME, "--noEmit", "false", ...options], { stdio: "inherit" });
  for (const made of MADE) rmSync(join(HOME, made), { recursive: true, force: true });
  emit("--removeComments", "--outDir", join(HOME, "dist"));
  emit("--declaration", "--emitDeclarationOnly", "--stripInternal", "--outDir", join(HOME, "types"));
  copyFileSync(join(HOME, "src/types.d.ts"), join(HOME, "types/types.d.ts"));
  for (const licence of MADE.slice(2)) copyFileSync(join(HOME, "../..", licence), join(HOME, licence));
}
