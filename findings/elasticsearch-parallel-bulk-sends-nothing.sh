#!/usr/bin/env bash
# elasticsearch-py's helpers.parallel_bulk is a generator: a call whose result nobody reads sends no request at all,
# without a word, where helpers.bulk with the same arguments stores everything. Swapping one for the other for speed
# empties the index.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check elasticsearch==9.5.1
cat >want <<'END'
elasticsearch 9.5.1
bulk: stored 50 of 50
parallel_bulk: stored 0 of 50
after reading the generator: results 50, stored 50
END
venv/bin/python - >got <<'END'
import http.server, json, threading
import elasticsearch
from elasticsearch import Elasticsearch, helpers


class Server(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        lines = self.rfile.read(int(self.headers["Content-Length"])).decode().splitlines()
        stored.extend(lines[::2])
        body = json.dumps(
            {"took": 1, "errors": False, "items": [{"index": {"_index": "x", "_id": "1", "status": 201}}] * (len(lines) // 2)}
        ).encode()
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
for send in (helpers.bulk, helpers.parallel_bulk):
    stored = []
    result = send(client, [{"_index": "x", "_id": str(n), "v": n} for n in range(50)], chunk_size=10)
    print(f"{send.__name__}: stored {len(stored)} of 50")
print(f"after reading the generator: results {len(list(result))}, stored {len(stored)}")
END
cat got
diff want got && echo "unchanged"
