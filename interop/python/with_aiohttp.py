"""The client of `aiohttp`."""

import asyncio

import aiohttp
from rounds import tell


class Connection:
    def __init__(self, socket):
        self.socket = socket

    async def say(self, text):
        await self.socket.send_str(text)

    async def hear(self):
        return await self.socket.receive_str()

    async def close(self, code):
        await self.socket.close(code=code, message=b"done")
        return self.socket.close_code


async def main():
    async with aiohttp.ClientSession() as session:

        async def connect(url, protocols, headers, deflate):
            socket = await session.ws_connect(
                url, protocols=protocols, headers=headers, compress=15 if deflate else 0
            )
            return Connection(socket), socket.compress > 0

        await tell(connect)


asyncio.run(main())
