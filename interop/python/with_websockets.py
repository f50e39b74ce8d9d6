"""The `websockets` package."""

import asyncio

import websockets
from rounds import tell


class Connection:
    def __init__(self, socket):
        self.socket = socket

    async def say(self, text):
        await self.socket.send(text)

    async def hear(self):
        return await self.socket.recv()

    async def close(self, code):
        await self.socket.close(code, "done")
        return self.socket.close_code


async def connect(url, protocols, headers, deflate):
    compression = "deflate" if deflate else None
    socket = await websockets.connect(
        url, subprotocols=protocols or None, additional_headers=headers, compression=compression, proxy=None
    )
    agreed = "permessage-deflate" in socket.response.headers.get("Sec-WebSocket-Extensions", "")
    return Connection(socket), agreed


asyncio.run(tell(connect))
