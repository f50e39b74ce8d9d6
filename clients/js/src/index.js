// The package: `import { Kulkul } from "kulkul"`.

export { Kulkul } from "./client.js";
export { Room } from "./chat.js";
export { Inbox } from "./inbox.js";
export { Refusal } from "./refusal.js";
export { WebSocketClient } from "./compat.js";
export { CLOSES } from "./closes.js";
export { directRoom } from "./codec.js";
