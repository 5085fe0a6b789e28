#!/usr/bin/env bash
# splunk-hec-handler sends the text of a log call without its arguments: "write of %d to register %d" arrives with the
# placeholders, the values are nowhere. And when the collector answers 503 (busy), the log call itself raises HTTPError
# in the program that logged.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check splunk-hec-handler==1.2.0 requests==2.34.2
cat >want <<'END'
splunk-hec-handler 1.2.0
received: {'log_level': 'WARNING', 'message': 'write of %d to register %d'}
busy: the log call raised HTTPError
END
venv/bin/python - >got <<'END'
import http.server, json, logging, threading
from importlib.metadata import version
import requests
from splunk_hec_handler import SplunkHecHandler

print("splunk-hec-handler", version("splunk-hec-handler"))


class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
threading.Thread(target=server.serve_forever, daemon=True).start()
received, status = [], 200
handler = SplunkHecHandler("127.0.0.1", "00000000-0000-0000-0000-000000000000", port=server.server_port, proto="http")
log = logging.getLogger("ndr")
log.addHandler(handler), log.setLevel(logging.INFO)
log.propagate = False
log.warning("write of %d to register %d", 5, 40001)
print("received:", received[0]["event"])
status = 503
try:
    log.warning("next"), print("busy: logged")
except requests.HTTPError as e:
    print("busy: the log call raised", type(e).__name__)
END
cat got
diff want got && echo "unchanged"
