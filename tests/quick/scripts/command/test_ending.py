"""How a command ends that somebody ends: every context is left in order, and what becomes of the work is told."""

from __future__ import annotations

import os
import signal

import pytest

from scripts.command.ending import ended_by_signals, heard_later, told_when_ended


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_polite_kill_leaves_every_context_in_order(number):
    left = []

    def work():
        with ended_by_signals():
            try:
                os.kill(os.getpid(), number)
            finally:
                left.append(number)

    before = signal.signal(number, signal.SIG_DFL)  # pytest may run under nohup
    try:
        with pytest.raises(SystemExit) as ended:
            work()
    finally:
        signal.signal(number, before)
    assert (ended.value.code, left) == (128 + number, [number])


def test_a_closed_terminal_that_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_by_signals():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit(143)])
def test_what_becomes_of_the_work_is_told_and_the_command_ends(end, capsys):
    with pytest.raises(BaseException) as ended, told_when_ended("goes on", lambda: "without you"):  # noqa: PT011
        raise end
    assert isinstance(ended.value, (KeyboardInterrupt, SystemExit))
    assert capsys.readouterr().err == "goes on: without you\n"


def test_of_a_fault_nothing_is_told_there(capsys):
    with pytest.raises(ValueError, match="x"), told_when_ended("goes on", lambda: "without you"):
        raise ValueError("x")
    assert capsys.readouterr().err == ""


def test_a_process_that_is_started_meanwhile_does_not_hear_a_signal():
    with heard_later(signal.SIGUSR1):
        assert signal.SIGUSR1 in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.SIGUSR1 not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
