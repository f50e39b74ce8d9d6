// After `npm pack`: what scripts/types.js made for it is gone again.

import { rmSync } from "node:fs";
import { join } from "node:path";

import { HOME, LICENCES } from "./types.js";

rmSync(join(HOME, "types"), { recursive: true, force: true });
for (const licence of LICENCES) rmSync(join(HOME, licence), { force: true });
