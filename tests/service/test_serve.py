"""The listening socket of `stadtfunk serve`."""

import asyncio
import socket

from stadtfunk.serve import bind


def test_answers_are_sent_without_delay():
    async def accepted(listener):
        seen = asyncio.get_running_loop().create_future()

        def hear(_, writer):
            seen.set_result(
                writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            )
            writer.close()

        async with await asyncio.start_server(hear, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            without_delay = await seen
            writer.close()
            await writer.wait_closed()
        return without_delay

    with bind("127.0.0.1", 0) as listener:
        assert asyncio.run(accepted(listener))
