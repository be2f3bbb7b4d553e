"""Classifiers: what serves predictions, and the artefacts that hold it. Export needs torch, serving does not."""

from shared.classifiers.artefact import Artefact, save
from shared.classifiers.classifier import Classifier, Predictions, softmax
from shared.classifiers.linear import LinearClassifier
from shared.classifiers.location import Location
from shared.classifiers.manifest import Manifest
from shared.classifiers.onnx_classifier import OnnxClassifier

__all__ = [
    "Artefact",
    "Classifier",
    "LinearClassifier",
    "Location",
    "Manifest",
    "OnnxClassifier",
    "Predictions",
    "save",
    "softmax",
]
