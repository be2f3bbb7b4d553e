"""A TCP proxy between a process and a service, which can be told to fail in the ways that networks do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal

from tests.support.servers import PATIENCE_S, free_port

Mode = Literal["forward", "hold", "swallow"]
"""`hold` stops passing bytes on, and loses none of them. `swallow` reads what a client says and never answers:
a connection that was there then, or came meanwhile, is never answered again, but stays open."""

CHUNK = 65_536


class Link:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.client = client
        self.server: asyncio.StreamWriter | None = None
        self.dead = False

    def close(self) -> None:
        """End both sides at once, as a reset does."""
        for writer in (self.client, self.server):
            if writer is not None:
                writer.transport.abort()


class Proxy:
    """Listens on a free port of this machine and forwards to another one."""

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.accepted = 0
        self.bytes_per_second: int | None = None
        self._target = target
        self._mode: Mode = "forward"
        self._links: set[Link] = set()
        self._loop = asyncio.new_event_loop()
        self._flows: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self._do(self._listen())

    def stop(self) -> None:
        """Close every connection, and listen no more."""
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)

    def cut(self) -> None:
        """Reset every connection; new ones are taken."""
        self._call(lambda: [link.close() for link in list(self._links)])

    def mode(self, mode: Mode) -> None:
        """Change what happens from now on."""

        def change() -> None:
            assert self._flows is not None
            self._mode = mode
            if mode == "swallow":
                for link in self._links:
                    link.dead = True
            (self._flows.clear if mode == "hold" else self._flows.set)()

        self._call(change)

    def _call(self, work: Callable[[], object]) -> None:
        async def run() -> None:
            work()

        self._do(run())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    async def _listen(self) -> None:
        self._flows = asyncio.Event()
        self._flows.set()
        await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        link = Link(writer)
        link.dead = self._mode == "swallow"
        self._links.add(link)
        try:
            await self._serve(link, reader)
        except OSError:
            pass
        finally:
            link.close()
            self._links.discard(link)

    async def _serve(self, link: Link, reader: asyncio.StreamReader) -> None:
        if link.dead:
            while await reader.read(CHUNK):
                pass
            return
        answers, link.server = await asyncio.open_connection("127.0.0.1", self._target)
        there = asyncio.create_task(self._pump(link, reader, link.server))
        back = asyncio.create_task(self._pump(link, answers, link.client))
        # The connection ends when either side of it does; one that is dead, only when the client gives it up.
        await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
        if link.dead:
            await there
        for task in (there, back):
            task.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await task

    async def _pump(self, link: Link, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        assert self._flows is not None
        while chunk := await source.read(self._chunk()):
            await self._flows.wait()
            if not link.dead:
                to.write(chunk)
                await to.drain()
                if self.bytes_per_second:
                    await asyncio.sleep(len(chunk) / self.bytes_per_second)

    def _chunk(self) -> int:
        return max(1_024, self.bytes_per_second // 20) if self.bytes_per_second else CHUNK


@contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    """A running proxy to a port of this machine."""
    proxy = Proxy(port)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
