#!/usr/bin/env bash
# CEF carries own values as cs1 with a label in cs1Label. pycef and jc rename cs1 to its label: of two values with one
# label only the last is left, and a label that is the name of a standard field replaces that field. Old and new value
# of a register under the labels "value", "value" come out as one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pycef==1.11 jc==1.26.1
cat >want <<'END'
pycef 1.11 jc 1.26.1
cs1=49.9 cs1Label=before cs2=52.1 cs2Label=after msg=set point
   pycef {'msg': 'set point', 'before': '49.9', 'after': '52.1'}
   jc {'msg': 'set point', 'before': '49.9', 'after': '52.1'}
cs1=49.9 cs1Label=value cs2=52.1 cs2Label=value msg=set point
   pycef {'msg': 'set point', 'value': '52.1'}
   jc {'msg': 'set point', 'value': '52.1'}
msg=set point cs1=short text cs1Label=msg
   pycef {'msg': 'short text'}
   jc {'msg': 'short text'}
END
venv/bin/python - >got <<'END'
import logging
from importlib.metadata import version
import jc, pycef

logging.disable(logging.CRITICAL)
print("pycef", version("pycef"), "jc", version("jc"))
for extension in (
    "cs1=49.9 cs1Label=before cs2=52.1 cs2Label=after msg=set point",
    "cs1=49.9 cs1Label=value cs2=52.1 cs2Label=value msg=set point",
    "msg=set point cs1=short text cs1Label=msg",
):
    print(extension)
    for name, read in (("pycef", pycef.parse), ("jc", lambda x: jc.parse("cef", x, quiet=True)[0])):
        d = read("CEF:0|V|ndr|1|100|write|8|" + extension)
        print("  ", name, {k: v for k, v in d.items() if k in ("before", "after", "value", "msg", "cs1", "cs2")})
END
cat got
diff want got && echo "unchanged"
