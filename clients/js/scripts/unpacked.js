// After `npm pack`: what scripts/pack.js made for it is gone again.

import { rmSync } from "node:fs";
import { join } from "node:path";

import { HOME, MADE } from "./pack.js";

for (const made of MADE) rmSync(join(HOME, made), { recursive: true, force: true });
