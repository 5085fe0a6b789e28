#!/usr/bin/env bash
# The TAXII server medallion gives all objects of one POST the same time of arrival. A client that stops after the first
# page and goes on, as the protocol suggests, with added_after = X-TAXII-Date-Added-Last of that page gets nothing: 6 of
# 10 indicators are never seen.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check medallion==3.0.0 Flask==3.1.3 Werkzeug==3.1.9
cat >want <<'END'
medallion 3.0.0
page 1: [0, 1, 2, 3]
going on by added_after: []
going on by next:        [4, 5, 6, 7]
END
venv/bin/python - >got <<'END'
import base64, json, logging, uuid
from importlib.metadata import version
from medallion import application_instance as app, register_blueprints, set_config

logging.disable(logging.CRITICAL)
print("medallion", version("medallion"))
collection = "91a7b528-80eb-42ed-a74d-c6fbd5a26116"
root = {
    "information": {"title": "r", "versions": ["application/taxii+json;version=2.1"], "max_content_length": 9765625},
    "status": [],
    "collections": [
        {
            "id": collection,
            "title": "c",
            "can_read": True,
            "can_write": True,
            "media_types": ["application/stix+json;version=2.1"],
            "objects": [],
            "manifest": [],
        }
    ],
}
json.dump(
    {"discovery": {"title": "t", "default": "http://localhost/r/", "api_roots": ["http://localhost/r/"]}, "r": root},
    open("data.json", "w"),
)
config = {
    "backend": {"module": "medallion.backends.memory_backend", "module_class": "MemoryBackend", "filename": "data.json"},
    "users": {"u": "p"},
    "taxii": {"max_page_size": 100},
}
app.blueprints or register_blueprints(app)
for part in ("users", "taxii", "backend"):
    set_config(app, part, config)
client, taxii = app.test_client(), "application/taxii+json;version=2.1"
headers = {"Authorization": "Basic " + base64.b64encode(b"u:p").decode(), "Accept": taxii, "Content-Type": taxii}
at = "2026-01-01T00:00:00.000Z"
objects = [
    {
        "type": "indicator",
        "spec_version": "2.1",
        "id": "indicator--" + str(uuid.UUID(int=n, version=4)),
        "created": at,
        "modified": at,
        "pattern": f"[a:n = {n}]",
        "pattern_type": "stix",
        "valid_from": at,
    }
    for n in range(10)
]
client.post(f"/r/collections/{collection}/objects/", headers=headers, data=json.dumps({"objects": objects}))


def page(query):
    answer = client.get(f"/r/collections/{collection}/objects/?limit=4&{query}", headers=headers)
    body = answer.get_json()
    return (
        [int(o["pattern"][7:-1]) for o in body.get("objects", [])],
        body.get("next"),
        answer.headers.get("X-TAXII-Date-Added-Last"),
    )


first, cursor, last = page("")
print("page 1:", first)
print("going on by added_after:", page("added_after=" + last)[0])
print("going on by next:       ", page("next=" + cursor)[0])
END
cat got
diff want got && echo "unchanged"
