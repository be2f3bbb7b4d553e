#!/usr/bin/env bash
# The second LSTM that a process exports to ONNX has a fixed length, whatever `dynamic_shapes` says.
#
# Seen with torch 2.13.0, onnx 1.23.2 and onnxscript 0.7.2 on Python 3.11, on a CPU: `torch.onnx.export(...,
# dynamo=True)` of a module with an LSTM keeps the dynamic number of tokens the first time. Exported once more in the same
# process, with an example of another length, the graph has that length, without an error; in a process of its own the
# same call keeps it dynamic, and so does a module without recurrence that was exported twice. Who exports several models
# in one process may get graphs that refuse every text but those of one length: export each in a process of its own, and
# run the graph on another length before it serves.
#
# The cause: while it exports, torch.onnx puts an LSTM of its own, a loop, into the operator's `py_kernels`
# (torch/export/_patches.py), and takes it out again, but the operator has kept what it found in its `_dispatch_cache` by
# then. `torch.ops.aten.lstm.input._dispatch_cache.clear()` before each export keeps the number of tokens dynamic.
#
# Output seen:
#   LSTM, first: rows x tokens
#   LSTM, again: rows x 6
#   without recurrence, first: rows x tokens
#   without recurrence, again: rows x tokens
#   in a process of its own: rows x tokens
#   with the cache cleared, again: rows x tokens
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  "torch==2.13.0" "onnx==1.23.2" "onnxscript==0.7.2" "onnx-ir==1.1.0" "numpy<3"
cat > "$folder/export.py" <<'PYTHON'
import logging
import sys
import warnings

import torch
from torch import nn

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)


class Words(nn.Module):
    """Embeddings, perhaps a recurrent layer, and the largest of all places."""

    def __init__(self, recurrent=None):
        super().__init__()
        self.embedding = nn.Embedding(50, 8)
        self.recurrent = recurrent and recurrent(8, 8, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, ids):
        found = self.embedding(ids)
        if self.recurrent is not None:
            found = self.recurrent(found)[0]
        return self.head(found.amax(dim=1))


def exported(network, length):
    """The shape of the graph's input: names where a dimension is dynamic."""
    dims = {0: torch.export.Dim("rows"), 1: torch.export.Dim("tokens", max=64)}
    ids = torch.randint(0, 50, (8, length))
    program = torch.onnx.export(
        network.eval(), (ids,), dynamic_shapes={"ids": dims}, dynamo=True, verbose=False
    )
    return " x ".join(map(str, program.model.graph.inputs[0].shape))


if sys.argv[1:] == ["alone"]:
    print("in a process of its own:", exported(Words(nn.LSTM), 6))
elif sys.argv[1:] == ["cleared"]:
    exported(Words(nn.LSTM), 5)
    torch.ops.aten.lstm.input._dispatch_cache.clear()
    print("with the cache cleared, again:", exported(Words(nn.LSTM), 6))
else:
    for name, recurrent in (("LSTM", nn.LSTM), ("without recurrence", None)):
        print(f"{name}, first:", exported(Words(recurrent), 5))
        print(f"{name}, again:", exported(Words(recurrent), 6))
PYTHON
seen=$(for words in "" alone cleared; do
  "$folder/venv/bin/python" "$folder/export.py" $words 2>/dev/null | grep ": rows x"
done)
echo "$seen"
expected="LSTM, first: rows x tokens
LSTM, again: rows x 6
without recurrence, first: rows x tokens
without recurrence, again: rows x tokens
in a process of its own: rows x tokens
with the cache cleared, again: rows x tokens"
if [ "$seen" != "$expected" ]; then
  echo "this has changed; expected:" >&2
  echo "$expected" >&2
  exit 1
fi
echo "as seen with torch 2.13.0"
