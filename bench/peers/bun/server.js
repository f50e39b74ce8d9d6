// Bun's own publish/subscribe: the first message names the room and is answered with "+", every later one is published.
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.env.PORT),
  fetch(request, server) {
    if (!server.upgrade(request, { data: { room: "" } })) return new Response("not a websocket", { status: 426 });
  },
  websocket: {
    idleTimeout: 0,
    sendPings: false,
    perMessageDeflate: false,
    backpressureLimit: 64 * 1024 * 1024,
    message(socket, text) {
      if (socket.data.room) {
        socket.publish(socket.data.room, text);
      } else {
        socket.data.room = text;
        socket.subscribe(text);
        socket.send("+");
      }
    },
  },
});
console.log(JSON.stringify({ listening: `http://127.0.0.1:${server.port}`, version: `bun ${Bun.version}` }));
