#!/usr/bin/env bash
# The value of `next` in medallion is used up by asking: a client that repeats a request because the answer got lost (as
# HTTP clients do by themselves for GET) gets the page after it, and four of ten indicators are gone. Repeating the
# first page is harmless.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check medallion==3.0.0 Flask==3.1.3 Werkzeug==3.1.9
cat >want <<'END'
medallion 3.0.0
page 1: [0, 1, 2, 3]
page 2, answer lost: [4, 5, 6, 7]
the same request again: [8, 9]
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


first, cursor, _ = page("")
print("page 1:", first)
print("page 2, answer lost:", page("next=" + cursor)[0])
print("the same request again:", page("next=" + cursor)[0])
END
cat got
diff want got && echo "unchanged"
