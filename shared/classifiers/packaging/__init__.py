"""From a trained network to an artefact that serves: export, quantising, checks. Torch only here."""
