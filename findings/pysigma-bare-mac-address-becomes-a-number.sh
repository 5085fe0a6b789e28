#!/usr/bin/env bash
# A MAC address of decimal digits only, written without quotes in a Sigma rule (10:20:30:40:50:55), is a base-60 number
# to the YAML reader of pySigma: the query asks for 8041827055. An address with a letter, or one that starts with 00,
# stays text, so a list of device addresses works but for one in it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pysigma==1.5.1 pysigma-backend-splunk==2.1.0
cat >want <<'END'
pysigma 1.5.1
10:20:30:40:50:5a -> src_mac="10:20:30:40:50:5a"
00:20:30:40:50:55 -> src_mac="00:20:30:40:50:55"
10:20:30:40:50:55 -> src_mac=8041827055
END
venv/bin/python - >got <<'END'
from importlib.metadata import version
from sigma.backends.splunk import SplunkBackend
from sigma.collection import SigmaCollection

print("pysigma", version("pysigma"))
for mac in ("10:20:30:40:50:5a", "00:20:30:40:50:55", "10:20:30:40:50:55"):
    rule = f"title: t\nlogsource: {{category: network}}\ndetection: {{a: {{src_mac: {mac}}}, condition: a}}"
    print(mac, "->", SplunkBackend().convert(SigmaCollection.from_yaml(rule))[0])
END
cat got
diff want got && echo "unchanged"
