#!/usr/bin/env bash
# On quorum queues, a retry with a countdown leaves the queue its message came by for the one of the task's route.
#
# Seen with celery 5.7.0, kombu 5.7.0 and RabbitMQ 3.10.8 on Python 3.11: a task whose route is the queue `usual` is
# sent to the queue `other`, and retries itself. `Task.retry` copies exchange and routing key of the delivery, and with
# classic queues the second try comes by `other` again. With quorum queues Celery delays the message in RabbitMQ and
# computes the key of the delay from the queue that the route names: the second try comes by `usual`. Whoever keeps
# a backlog apart by a queue of its own finds its retries among the urgent ones. Naming the queue (`retry(queue=...)`)
# keeps it.
#
# Needs RabbitMQ on this machine and the right to give it a virtual host, which is deleted again.
#
# Output seen:
#   classic: other, then other
#   quorum: other, then usual
#   quorum, named: other, then other
set -euo pipefail
folder=$(mktemp -d)
host=findings-$$
trap 'rm -rf "$folder"; rabbitmqctl --quiet delete_vhost "$host"' EXIT
rabbitmqctl --quiet add_vhost "$host"
rabbitmqctl --quiet set_permissions -p "$host" guest '.*' '.*' '.*'
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "celery==5.7.0" "kombu==5.7.0"
cat > "$folder/retries.py" <<'PYTHON'
import os
import sys

from celery import Celery
from kombu import Exchange, Queue

kind, named = sys.argv[1:]
prefix = f"{kind}.{named}"
app = Celery("retries", broker=f"amqp://guest:guest@127.0.0.1:5672/{os.environ['VIRTUAL_HOST']}")
exchange = Exchange(f"{prefix}.tasks", type="topic")
app.conf.task_queues = [
    Queue(f"{prefix}.{name}", exchange, f"{prefix}.{name}", queue_arguments={"x-queue-type": kind})
    for name in ("usual", "other")
]
app.conf.task_routes = {"asked": {"queue": f"{prefix}.usual"}}
app.conf.broker_transport_options = {"confirm_publish": True}
app.conf.task_acks_late = True
app.conf.worker_detect_quorum_queues = True


@app.task(bind=True, name="asked")
def asked(self):
    os.write(1, self.request.delivery_info["routing_key"].rpartition(".")[2].encode() + b"\n")
    if self.request.retries == 0:
        raise self.retry(countdown=1, **({"queue": f"{prefix}.other"} if named == "named" else {}))
    os._exit(0)


asked.apply_async(queue=f"{prefix}.other")
app.worker_main(["worker", "--pool=solo", "--loglevel=CRITICAL", "--without-mingle", "--without-gossip"])
PYTHON
tries() {
  VIRTUAL_HOST=$host timeout 90 "$folder/venv/bin/python" "$folder/retries.py" "$1" "$2" 2> "$folder/errors" \
    | grep -x 'usual\|other' | paste -sd ' ' | sed 's/ /, then /'
}
seen="classic: $(tries classic unnamed)
quorum: $(tries quorum unnamed)
quorum, named: $(tries quorum named)"
echo "$seen"
expected="classic: other, then other
quorum: other, then usual
quorum, named: other, then other"
if [ "$seen" != "$expected" ]; then
  cat "$folder/errors" >&2
  echo "this has changed; expected:" >&2
  echo "$expected" >&2
  exit 1
fi
