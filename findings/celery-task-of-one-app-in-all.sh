#!/usr/bin/env bash
# A task of one Celery application is registered by every application of the process that is finalised later.
#
# Seen with celery 5.7.0 on Python 3.11: `@one.task` also puts the task into `two.tasks`, bound to `two`, although
# nothing names `two`. A worker of `two` would run it, and a list of what `two` offers depends on what else has been
# imported. An application that was finalised before the decorator ran does not get it, so the order of imports
# decides. `shared=False` keeps a task to its own application.
#
# Output seen:
#   finalised before: []
#   finalised after: ['one.add'], bound to two
#   with shared=False: ['one.add']
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "celery==5.7.0"
cat > "$folder/apps.py" <<'PYTHON'
from celery import Celery


def ours(app):
    return sorted(name for name in app.tasks if not name.startswith("celery."))


early = Celery("early", broker="memory://")
early.finalize()
one = Celery("one", broker="memory://")
two = Celery("two", broker="memory://")


@one.task(name="one.add")
def add(x, y):
    return x + y


print("finalised before:", ours(early))
print(f"finalised after: {ours(two)}, bound to {two.tasks['one.add'].app.main}")


@one.task(name="one.own", shared=False)
def own():
    return None


three = Celery("three", broker="memory://")
print("with shared=False:", ours(three))
PYTHON
seen=$("$folder/venv/bin/python" "$folder/apps.py")
echo "$seen"
expected="finalised before: []
finalised after: ['one.add'], bound to two
with shared=False: ['one.add']"
if [ "$seen" != "$expected" ]; then
  echo "this has changed; expected:" >&2
  echo "$expected" >&2
  exit 1
fi
echo "as seen with celery 5.7.0"
