#!/usr/bin/env bash
# elasticsearch-py's helpers.bulk has max_retries for documents that a busy cluster rejects (429). With the other
# defaults it does nothing: the first rejected document raises BulkIndexError before any retry, with earlier chunks
# stored and later ones never sent. Only max_retries together with raise_on_error=False stores all; without max_retries
# that option loses the document quietly. The server here is ten lines that reject one document once.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check elasticsearch==9.5.1
cat >want <<'END'
elasticsearch 9.5.1
{}: raised, requests 2, stored 19 of 50
{'max_retries': 3}: raised, requests 2, stored 19 of 50
{'raise_on_error': False}: returned, requests 5, stored 49 of 50
{'raise_on_error': False, 'max_retries': 3}: returned, requests 6, stored 50 of 50
END
venv/bin/python - >got <<'END'
import http.server, json, threading
import elasticsearch
from elasticsearch import Elasticsearch, helpers


class Server(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        lines = self.rfile.read(int(self.headers["Content-Length"])).decode().splitlines()
        ids = [json.loads(x)["index"]["_id"] for x in lines[::2]]
        requests.append(ids)
        items = []
        for n in ids:
            busy = n == "15" and len(requests) == 2
            items.append(
                {
                    "index": {"_index": "x", "_id": n, "status": 429 if busy else 201}
                    | ({"error": {"type": "es_rejected_execution_exception"}} if busy else {})
                }
            )
            if not busy:
                stored.add(n)
        body = json.dumps({"took": 1, "errors": len(requests) == 2, "items": items}).encode()
        self.send_response(200)
        for h, v in (
            ("X-Elastic-Product", "Elasticsearch"),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
        ):
            self.send_header(h, v)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = Elasticsearch(f"http://127.0.0.1:{server.server_port}")
print("elasticsearch", ".".join(map(str, elasticsearch.__version__)))
for options in ({}, {"max_retries": 3}, {"raise_on_error": False}, {"raise_on_error": False, "max_retries": 3}):
    requests, stored = [], set()
    try:
        helpers.bulk(
            client, ({"_index": "x", "_id": str(n), "v": n} for n in range(50)), chunk_size=10, initial_backoff=0.01, **options
        )
        end = "returned"
    except helpers.BulkIndexError:
        end = "raised"
    print(f"{options}: {end}, requests {len(requests)}, stored {len(stored)} of 50")
END
cat got
diff want got && echo "unchanged"
