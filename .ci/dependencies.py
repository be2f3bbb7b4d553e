"""What Otzyv is built from: are there known vulnerabilities in it (`audit`), and what is it (`sbom`).

python .ci/dependencies.py audit    exit 1 where a pinned version is vulnerable; 0, and a sentence, without a service
python .ci/dependencies.py sbom     a bill of materials in CycloneDX JSON, of constraints.txt; needs no network
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
SERVICES = ("osv", "pypi")
"""Where pip-audit asks, one after the other until one answers."""

# What pip-audit, requests and urllib3 say when they cannot reach a service, or it is out of order.
_NO_SERVICE = re.compile(
    r"ConnectionError|ServiceError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError"
    r"|Could not connect|Max retries exceeded|timed out"
)
_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;#]+)")


def pins() -> dict[str, str]:
    """Names and versions in constraints.txt."""
    return {found["name"]: found["version"] for found in _PIN.finditer(CONSTRAINTS.read_text())}


def judged(status: int, answer: str, complaint: str) -> tuple[int | None, str]:
    """An exit status and a sentence for what pip-audit said; no status where the service said nothing."""
    try:
        packages = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        if _NO_SERVICE.search(complaint):
            return None, complaint.strip().splitlines()[-1][:200]
        return 2, f"pip-audit failed with {status}: {complaint.strip()[-500:]}"
    vulnerable = [
        f"{one['name']} {one['version']}: {found['id']}, mended in "
        + (", ".join(found["fix_versions"]) or "no version yet")
        for one in packages
        for found in one.get("vulns", [])
    ]
    if vulnerable:
        return 1, "vulnerable versions in constraints.txt:\n  " + "\n  ".join(vulnerable)
    skipped = [one["name"] for one in packages if "skip_reason" in one]
    if len(skipped) == len(packages):
        return None, "it knows none of the packages"
    unknown = f"; nothing is known of {', '.join(skipped)}" if skipped else ""
    return 0, f"no known vulnerabilities in {len(packages) - len(skipped)} packages{unknown}"


def audit() -> int:
    """Ask until a service answers."""
    for service in SERVICES:
        done = subprocess.run(
            [
                sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--requirement", CONSTRAINTS,
                "--vulnerability-service", service, "--progress-spinner", "off", "--format", "json",
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        status, sentence = judged(done.returncode, done.stdout, done.stderr)
        if status is not None:
            print(f"{service}: {sentence}")
            return status
        print(f"{service} could not be asked: {sentence}")
    print("dependencies are NOT audited: no vulnerability service can be reached from here")
    return 0


def sbom() -> int:
    """Print the bill of materials."""
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL

    bom = Bom()
    bom.metadata.component = Component(name="otzyv", type=ComponentType.APPLICATION, bom_ref="otzyv")
    for name, version in pins().items():
        url = PackageURL("pypi", name=name.lower().replace("_", "-"), version=version)
        bom.components.add(Component(name=name, version=version, purl=url, bom_ref=str(url)))
    bom.register_dependency(bom.metadata.component, list(bom.components))
    print(JsonV1Dot6(bom).output_as_string(indent=1))
    return 0


if __name__ == "__main__":
    commands = {"audit": audit, "sbom": sbom}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(f"expected one of {', '.join(commands)}, found {' '.join(sys.argv[1:]) or 'nothing'}")
    sys.exit(commands[sys.argv[1]]())
