"""A way to a server of this machine that takes as long as one across a country."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

_CHUNK_BYTES = 256 * 1024


@contextmanager
def delayed(port: int, seconds: float) -> Iterator[int]:
    """A port that leads to `port`, and back; a round trip takes `seconds` more.

    Neither the bytes on their way nor the connections are limited.
    """
    loop = asyncio.new_event_loop()
    serving = loop.run_until_complete(_serve(port, seconds / 2))
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield serving.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


async def _serve(port: int, delay: float) -> asyncio.Server:
    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            _pass_on(reader, there_writer, delay), _pass_on(there_reader, writer, delay)
        )

    return await asyncio.start_server(connect, "127.0.0.1", 0)


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float
) -> None:
    """Each piece leaves `delay` after it came, whether earlier ones have arrived or not."""
    loop = asyncio.get_running_loop()
    on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, piece = await on_the_way.get()
            await asyncio.sleep(due - loop.time())
            if not piece:
                break
            writer.write(piece)
        writer.close()

    delivering = asyncio.create_task(deliver())
    piece = b"begun"
    while piece:
        try:
            piece = await reader.read(_CHUNK_BYTES)
        except ConnectionError:
            piece = b""
        on_the_way.put_nowait((loop.time() + delay, piece))
    await delivering
