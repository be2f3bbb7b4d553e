#!/usr/bin/env bash
# What a receiver of Celery's `on_configure` raises is logged, and the application goes on with Celery's defaults.
#
# Seen with celery 5.7.0 on Python 3.11: an application that takes its settings in a receiver of the signal
# `on_configure`, and refuses wrong ones by an exception, is not refused: it has no queues of its own, acknowledges
# early and talks to the default broker. The same in a method of a subclass is raised to whoever uses the application.
# Logging is seldom set up at that moment, so that nobody reads the line.
#
# Output seen:
#   receiver: goes on, task_acks_late False, broker None
#   method: ValueError: expected a broker, found none
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "celery==5.7.0"
cat > "$folder/apps.py" <<'PYTHON'
import logging

from celery import Celery

logging.disable(logging.CRITICAL)


def configure(app):
    raise ValueError("expected a broker, found none")


def used(name, app):
    try:
        print(f"{name}: goes on, task_acks_late {app.conf.task_acks_late}, broker {app.conf.broker_url}")
    except ValueError as error:
        print(f"{name}: ValueError: {error}")


by_signal = Celery("by_signal")


@by_signal.on_configure.connect
def receiver(sender, **_):
    configure(sender)


class ByMethod(Celery):
    def on_configure(self):
        configure(self)


used("receiver", by_signal)
used("method", ByMethod("by_method"))
PYTHON
seen=$("$folder/venv/bin/python" "$folder/apps.py")
echo "$seen"
expected="receiver: goes on, task_acks_late False, broker None
method: ValueError: expected a broker, found none"
if [ "$seen" != "$expected" ]; then
  echo "this has changed; expected:" >&2
  echo "$expected" >&2
  exit 1
fi
echo "as seen with celery 5.7.0"
