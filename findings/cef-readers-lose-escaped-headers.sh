#!/usr/bin/env bash
# CEF allows a pipe and a backslash in a header field, each behind a backslash. pycef (and jc, which has its code) does
# not get over either of them: name and severity are gone and the rest of the header becomes a field name with the value
# of the first field, without an error.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pycef==1.11 jc==1.26.1
cat >want <<'END'
pycef 1.11 jc 1.26.1
CEF:0|V|ndr|1|100|breaker trip|8|src=10.0.0.9
   pycef {'name': 'breaker trip', 'severity': '8', 'src': '10.0.0.9'} []
   jc {'name': 'breaker trip', 'agentseverity': '8', 'src': '10.0.0.9'} []
CEF:0|V|ndr|1|100|breaker 1\|2 trip|8|src=10.0.0.9
   pycef {'name': ''} ['trip|8|src']
   jc {'name': ''} ['trip_8_src']
CEF:0|V|ndr|1|100|unit A\\B trip|8|src=10.0.0.9
   pycef {'name': ''} ['trip|8|src']
   jc {'name': ''} ['trip_8_src']
END
venv/bin/python - >got <<'END'
import logging
from importlib.metadata import version
import jc, pycef

logging.disable(logging.CRITICAL)
print("pycef", version("pycef"), "jc", version("jc"))
for line in (
    r"CEF:0|V|ndr|1|100|breaker trip|8|src=10.0.0.9",
    r"CEF:0|V|ndr|1|100|breaker 1\|2 trip|8|src=10.0.0.9",
    r"CEF:0|V|ndr|1|100|unit A\\B trip|8|src=10.0.0.9",
):
    print(line)
    for name, read in (("pycef", pycef.parse), ("jc", lambda x: jc.parse("cef", x, quiet=True)[0])):
        try:
            d = {k.lower(): v for k, v in read(line).items()}
            print(
                "  ",
                name,
                {k: d[k] for k in ("name", "severity", "agentseverity", "src", "unparsable") if k in d},
                sorted(k for k in d if "trip" in k),
            )
        except Exception as e:
            print("  ", name, type(e).__name__)
END
cat got
diff want got && echo "unchanged"
