#!/usr/bin/env bash
# Dynamic quantisation passes the LSTM of a graph that torch has exported by, and says nothing.
#
# Seen with onnxruntime 1.32.0, onnx 1.23.2 and torch 2.13.0 on Python 3.11, on a CPU: `quantize_dynamic` knows LSTM, and
# turns it into DynamicQuantizeLSTM where the weights are initialisers of the graph. `torch.onnx.export(..., dynamo=True)`
# lets other nodes put them together, so the LSTM, most of the model, stays in float; what is around it is
# quantised, the file is written without a warning, and only its size tells. `quant_pre_process` before it folds those
# nodes (its symbolic shape inference is skipped here), and then the LSTM is quantised too. Who serves exported recurrent
# models in int8 should look for float operators in the result.
#
# Output seen:
#   as exported: LSTM MatMulInteger, 10 % smaller
#   pre-processed: DynamicQuantizeLSTM MatMulInteger, 80 % smaller
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "torch==2.13.0" "onnx==1.23.2" \
  "onnxscript==0.7.2" "onnx-ir==1.1.0" "onnxruntime==1.32.0" "sympy<2" "numpy<3"
cat > "$folder/quantise.py" <<'PYTHON'
import logging
import sys
import warnings
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
folder = Path(sys.argv[1])


class Words(nn.Module):
    """Embeddings, an LSTM, and a linear layer over the largest of all places."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 64)
        self.recurrent = nn.LSTM(64, 64, batch_first=True)
        self.head = nn.Linear(64, 3)

    def forward(self, ids):
        return self.head(self.recurrent(self.embedding(ids))[0].amax(dim=1))


torch.manual_seed(0)
dims = {0: torch.export.Dim("rows"), 1: torch.export.Dim("tokens", max=64)}
exported, folded = folder / "exported.onnx", folder / "folded.onnx"
ids = torch.randint(0, 50, (8, 5))
torch.onnx.export(
    Words().eval(), (ids,), str(exported), dynamic_shapes={"ids": dims}, dynamo=True, verbose=False,
    external_data=False,
)
quant_pre_process(str(exported), str(folded), skip_symbolic_shape=True)
for name, graph in (("as exported", exported), ("pre-processed", folded)):
    small = folder / "small.onnx"
    quantize_dynamic(str(graph), str(small), weight_type=QuantType.QInt8)
    found = sorted({node.op_type for node in onnx.load(small).graph.node})
    heavy = " ".join(kind for kind in found if "LSTM" in kind or "MatMul" in kind or kind == "Gemm")
    saved = 1 - small.stat().st_size / exported.stat().st_size
    print(f"{name}: {heavy},", f"{100 * round(saved, 1):.0f} % smaller")
PYTHON
seen=$("$folder/venv/bin/python" "$folder/quantise.py" "$folder" 2>/dev/null | grep " smaller$")
echo "$seen"
expected="as exported: LSTM MatMulInteger, 10 % smaller
pre-processed: DynamicQuantizeLSTM MatMulInteger, 80 % smaller"
if [ "$seen" != "$expected" ]; then
  echo "this has changed; expected:" >&2
  echo "$expected" >&2
  exit 1
fi
echo "as seen with onnxruntime 1.32.0"
