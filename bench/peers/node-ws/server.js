// The npm package ws as its documentation shows it: a Set a room, `send` to each member.
import { readFileSync } from "node:fs";
import { WebSocketServer } from "ws";

const rooms = new Map();
const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.env.PORT), perMessageDeflate: false, backlog: 4096 });

server.on("connection", (socket) => {
  let members;
  socket.on("message", (text, binary) => {
    if (members) {
      for (const member of members) {
        if (member !== socket && member.readyState === 1) member.send(text, { binary });
      }
      return;
    }
    const room = text.toString();
    members = rooms.get(room) ?? new Set();
    rooms.set(room, members);
    members.add(socket);
    socket.send("+");
  });
  socket.on("close", () => members?.delete(socket));
  socket.on("error", () => {});
});
server.on("listening", () => {
  const { version } = JSON.parse(readFileSync(new URL("./node_modules/ws/package.json", import.meta.url)));
  const versions = `ws ${version}, node ${process.versions.node}`;
  console.log(JSON.stringify({ listening: `http://127.0.0.1:${process.env.PORT}`, version: versions }));
});
