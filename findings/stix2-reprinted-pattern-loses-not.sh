#!/usr/bin/env bash
# stix2 parses a STIX pattern into objects and prints it again without the NOT in front of IN, LIKE, MATCHES and
# ISSUBSET: the printed pattern means the opposite. The matcher of the same project confirms it: "not from our network"
# becomes "from our network". A small number comes out in a form that the parser itself refuses.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check stix2==3.0.2 stix2-patterns==2.1.2 stix2-matcher==3.0.0
cat >want <<'END'
stix2 3.0.2 stix2-matcher 3.0.0
[ipv4-addr:value NOT ISSUBSET '10.0.0.0/8'] -> [ipv4-addr:value ISSUBSET '10.0.0.0/8']
   own 10.0.0.1, foreign 192.0.2.1: [False, True] [True, False]
[ipv4-addr:value NOT IN ('10.0.0.1', '10.0.0.2')] -> [ipv4-addr:value IN ('10.0.0.1', '10.0.0.2')]
   own 10.0.0.1, foreign 192.0.2.1: [False, True] [True, False]
[ipv4-addr:value NOT LIKE '10.%'] -> [ipv4-addr:value LIKE '10.%']
   own 10.0.0.1, foreign 192.0.2.1: [False, True] [True, False]
[ipv4-addr:value NOT MATCHES '^10'] -> [ipv4-addr:value MATCHES '^10']
   own 10.0.0.1, foreign 192.0.2.1: [False, True] [True, False]
[ipv4-addr:value != '10.0.0.1'] -> [ipv4-addr:value NOT = '10.0.0.1']
   own 10.0.0.1, foreign 192.0.2.1: [False, True] [False, True]
[x-meter:offset = 1.2345e-07] refused: ParseException
END
venv/bin/python - >got <<'END'
import stix2
from importlib.metadata import version
from stix2.pattern_visitor import create_pattern_object
from stix2matcher.matcher import match

print("stix2", stix2.__version__, "stix2-matcher", version("stix2-matcher"))


def seen(address):
    at = "2026-01-01T00:00:00Z"
    return {
        "type": "observed-data",
        "id": "observed-data--00000000-0000-4000-8000-000000000000",
        "created": at,
        "modified": at,
        "first_observed": at,
        "last_observed": at,
        "number_observed": 1,
        "objects": {"0": {"type": "ipv4-addr", "value": address}},
    }


for pattern in (
    "[ipv4-addr:value NOT ISSUBSET '10.0.0.0/8']",
    "[ipv4-addr:value NOT IN ('10.0.0.1', '10.0.0.2')]",
    "[ipv4-addr:value NOT LIKE '10.%']",
    "[ipv4-addr:value NOT MATCHES '^10']",
    "[ipv4-addr:value != '10.0.0.1']",
):
    again = str(create_pattern_object(pattern))
    print(pattern, "->", again)
    print(
        "   own 10.0.0.1, foreign 192.0.2.1:",
        *[[bool(match(p, [seen(a)])) for a in ("10.0.0.1", "192.0.2.1")] for p in (pattern, again)]
    )
small = str(create_pattern_object("[x-meter:offset = 0.00000012345]"))
try:
    create_pattern_object(small), print(small, "accepted")
except Exception as e:
    print(small, "refused:", type(e).__name__)
END
cat got
diff want got && echo "unchanged"
