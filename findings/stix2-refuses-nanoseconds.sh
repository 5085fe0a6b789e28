#!/usr/bin/env bash
# STIX 2.1 lets a time have any number of digits after the second, and a pattern's WITHIN a fraction of seconds. stix2
# refuses a time with more than six digits, in objects and in patterns, and WITHIN 1.5 SECONDS, though the validator of
# the same project passes both. Packet times in nanoseconds have to be cut before they become observed data.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check stix2==3.0.2 stix2-patterns==2.1.2
cat >want <<'END'
stix2 3.0.2 stix2-patterns 2.1.2
object,  123456 accepted
object,  123456789 refused: InvalidValueError
[a:t = t'2026-01-02T03:04:05.123456789Z'] refused: ValueError | validator: no error
[a:b = 1] REPEATS 2 TIMES WITHIN 1.5 SECONDS refused: ValueError | validator: no error
END
venv/bin/python - >got <<'END'
import stix2
from importlib.metadata import version
from stix2.pattern_visitor import create_pattern_object
from stix2patterns.validator import run_validator

print("stix2", stix2.__version__, "stix2-patterns", version("stix2-patterns"))


def tried(what, *args, **kw):
    try:
        what(*args, **kw)
        return "accepted"
    except Exception as e:
        return "refused: " + type(e).__name__


for digits in ("123456", "123456789"):
    at = f"2026-01-02T03:04:05.{digits}Z"
    print(
        "object, ", digits, tried(stix2.Indicator, pattern="[ipv4-addr:value = '10.0.0.1']", pattern_type="stix", valid_from=at)
    )
for pattern in ("[a:t = t'2026-01-02T03:04:05.123456789Z']", "[a:b = 1] REPEATS 2 TIMES WITHIN 1.5 SECONDS"):
    print(
        pattern, tried(create_pattern_object, pattern), "| validator:", run_validator(pattern, stix_version="2.1") or "no error"
    )
END
cat got
diff want got && echo "unchanged"
