#!/usr/bin/env bash
# A MISP feed comes with a list of hashes for quick look-ups. For a composite indicator such as ip-dst|port, pymisp puts
# the hash of each half on it, not of the pair: the list of a feed with 10.1.0.2|502 has an entry for the text "502", so
# that every look-up of that port is a hit, and none for the pair.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pymisp==2.5.34.4
cat >want <<'END'
pymisp 2.5.34.4
10.1.0.2|502  is not on the list
10.1.0.2      is on the list
502           is on the list
END
venv/bin/python - >got <<'END'
import hashlib, logging
from importlib.metadata import version
from pymisp import MISPEvent

logging.disable(logging.CRITICAL)
print("pymisp", version("pymisp"))
event = MISPEvent()
event.info = "feed"
event.add_attribute("ip-dst|port", "10.1.0.2|502")
hashes = event.attributes_hashes("md5")
for text in ("10.1.0.2|502", "10.1.0.2", "502"):
    print(f"{text:13} {'is' if hashlib.md5(text.encode()).hexdigest() in hashes else 'is not'} on the list")
END
cat got
diff want got && echo "unchanged"
