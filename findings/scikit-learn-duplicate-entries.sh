#!/usr/bin/env bash
# scikit-learn reads a sparse matrix with duplicate entries as if they were different ones, and says nothing.
#
# In SciPy a CSR matrix may hold one place several times; they add up, and arithmetic, products and toarray() know it.
# So does the way in which many build counts: one entry of 1 for each occurrence of a word. Seen with scikit-learn
# 1.9.1 and SciPy 1.17.1: `check_array` lets such a matrix pass, and whatever squares or counts stored entries is wrong
# without a warning: lengths, cosines and distances of rows, document frequencies, variances. A dot product with
# coefficients is right, so a model still answers, only worse. `sum_duplicates()` first mends it;
# `has_canonical_format` tells.
#
# Output seen (the same two rows, [2 1] and [0 3], with duplicates and without):
#   canonical False True
#   normalised [1.1547 0.5774] [0.8944 0.4472]
#   cosine 0.5774 0.4472
#   distance 2.4495 2.8284
#   idf [1. 1.] [1.4055 1.    ]
#   variance [0. 1.] [1. 1.]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "scikit-learn==1.9.1" "scipy==1.17.1"
cat > "$folder/rows.py" <<'PYTHON'
import numpy as np
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances
from sklearn.preprocessing import StandardScaler, normalize

np.set_printoptions(precision=4)
several = csr_array((np.array([1.0, 1.0, 1.0, 3.0]), np.array([0, 0, 1, 1]), np.array([0, 3, 4])), shape=(2, 2))
once = several.copy()
once.sum_duplicates()
assert (several.toarray() == once.toarray()).all()
assert (several @ np.eye(2) == once @ np.eye(2)).all()


def told(what, of):
    print(what, of(several), of(once))


told("canonical", lambda rows: bool(rows.has_canonical_format))
told("normalised", lambda rows: normalize(rows).toarray()[0])
told("cosine", lambda rows: f"{cosine_similarity(rows)[0, 1]:.4f}")
told("distance", lambda rows: f"{euclidean_distances(rows)[0, 1]:.4f}")
told("idf", lambda rows: TfidfTransformer().fit(rows).idf_)
told("variance", lambda rows: StandardScaler(with_mean=False).fit(rows).var_)
PYTHON
seen=$("$folder/venv/bin/python" "$folder/rows.py")
echo "$seen"
expected="canonical False True
normalised [1.1547 0.5774] [0.8944 0.4472]
cosine 0.5774 0.4472
distance 2.4495 2.8284
idf [1. 1.] [1.4055 1.    ]
variance [0. 1.] [1. 1.]"
if [ "$seen" != "$expected" ]; then
  echo "this has changed; expected:" >&2
  echo "$expected" >&2
  exit 1
fi
echo "as seen with scikit-learn 1.9.1"
