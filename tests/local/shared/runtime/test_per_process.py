"""What a process has made for itself is not what its children work with."""

from __future__ import annotations

import os

from shared.runtime.per_process import PerProcess


def test_a_child_makes_its_own() -> None:
    things = PerProcess(lambda _: os.getpid())
    assert things.get(1) == os.getpid()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, str(things.get(1)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(reading, 100)) == child
    assert things.get(1) == os.getpid()
