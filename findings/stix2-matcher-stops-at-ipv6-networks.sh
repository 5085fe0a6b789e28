#!/usr/bin/env bash
# The STIX matcher knows ISSUBSET for IPv4 only: a pattern with an IPv6 network ends the match of all observations with
# an exception, "Invalid IPv4 address", as soon as one of them holds an IPv6 address. The validator of the same project
# calls the pattern valid.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check stix2-patterns==2.1.2 stix2-matcher==3.0.0
cat >want <<'END'
stix2-matcher 3.0.0
[ipv4-addr:value ISSUBSET '10.0.0.0/8'] validator: no error | match: True
[ipv6-addr:value ISSUBSET '2001:db8::/32'] validator: no error | match: MatcherException: Invalid IPv4 address: 2001:db8::1
END
venv/bin/python - >got <<'END'
from importlib.metadata import version
from stix2matcher.matcher import match
from stix2patterns.validator import run_validator

print("stix2-matcher", version("stix2-matcher"))


def seen(kind, address):
    at = "2026-01-01T00:00:00Z"
    return {
        "type": "observed-data",
        "id": "observed-data--00000000-0000-4000-8000-000000000000",
        "created": at,
        "modified": at,
        "first_observed": at,
        "last_observed": at,
        "number_observed": 1,
        "objects": {"0": {"type": kind, "value": address}},
    }


for pattern, observations in (
    ("[ipv4-addr:value ISSUBSET '10.0.0.0/8']", [seen("ipv4-addr", "10.1.2.3")]),
    ("[ipv6-addr:value ISSUBSET '2001:db8::/32']", [seen("ipv6-addr", "2001:db8::1")]),
):
    try:
        result = bool(match(pattern, observations))
    except Exception as e:
        result = f"{type(e).__name__}: {e}"
    print(pattern, "validator:", run_validator(pattern, stix_version="2.1") or "no error", "| match:", result)
END
cat got
diff want got && echo "unchanged"
