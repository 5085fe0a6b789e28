"""The vendors' and the community's own clients against our mocks: each creates, is refused with a wrong credential, and reads back.

usage: connectors.py MOCK-BINARY                                prints a line per system; fails where a client disagrees with a mock
       connectors.py MOCK-BINARY GRIDWARDEN ANALYSIS FOLDER     what `gridwarden connect send` delivered under faults, read back by the clients
"""
import json, os, socket, ssl, subprocess, sys, tempfile, threading, time, urllib.request, warnings
from importlib.metadata import version

warnings.filterwarnings("ignore")
# requests lets these win over the certificate that a client names.
for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
    os.environ.pop(name, None)
KEY = "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0"


def free():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Mock:
    def __init__(self, system):
        self.port = free()
        self.process = subprocess.Popen([sys.argv[1], system, str(self.port)], stdin=subprocess.PIPE)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.1).close()
                break
            except OSError:
                time.sleep(0.05)
        self.url = f"http://127.0.0.1:{self.port}"

    def records(self):
        return json.load(urllib.request.urlopen(self.url + "/_mock/records"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(5)


class Tls:
    """A mock behind TLS, for clients that speak nothing else: `url`, and `ca`, the certificate that they shall trust."""

    def __init__(self, port):
        self.folder = tempfile.TemporaryDirectory()
        self.ca, key = os.path.join(self.folder.name, "ca.pem"), os.path.join(self.folder.name, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                        "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", self.ca], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, key)
        self.listener = context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)
        self.port = port
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except ssl.SSLError:
                continue  # a client that does not trust us
            mock = socket.create_connection(("127.0.0.1", self.port))
            for a, b in ((client, mock), (mock, client)):
                threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    @staticmethod
    def pump(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # one side went away


def splunk():
    from splunk_hec_handler import SplunkHecHandler
    import logging, requests
    with Mock("splunk") as m:
        h = SplunkHecHandler("127.0.0.1", KEY, port=m.port, proto="http", ssl_verify=False, source="s", sourcetype="gridwarden:alert")
        log = logging.getLogger("hec"); log.setLevel(logging.INFO); log.addHandler(h)
        log.info({"event": "one", "n": 1}); log.info("two")
        got = m.records()
        assert len(got) == 2 and got[0]["sourcetype"] == "gridwarden:alert", got
        bad = SplunkHecHandler("127.0.0.1", "wrong", port=m.port, proto="http", ssl_verify=False)
        log.removeHandler(h); log.addHandler(bad)
        try:
            log.info("three")
            raise AssertionError("wrong token taken")
        except requests.HTTPError as e:
            assert e.response.status_code == 403, e
        assert len(m.records()) == 2
    return f"splunk-hec-handler {version('splunk-hec-handler')}: 2 events taken, wrong token refused"


def elastic():
    from elasticsearch import Elasticsearch, helpers, AuthenticationException
    with Mock("elastic") as m:
        es = Elasticsearch(m.url, api_key=KEY)
        assert es.info()["version"]["number"] == "9.4.0"
        doc = {"@timestamp": "2026-03-01T10:00:00Z", "event": {"id": "a"}}
        actions = [{"_op_type": "create", "_index": "logs-gridwarden.finding-default", "_id": i, **doc} for i in ("a", "b", "a")]
        actions.append({"_op_type": "index", "_index": "logs-gridwarden.finding-default", "_id": "c", **doc})
        ok, errors = helpers.bulk(es, actions, raise_on_error=False)
        kinds = sorted(next(iter(e.values()))["status"] for e in errors)
        assert (ok, kinds) == (2, [400, 409]), (ok, errors)
        assert es.count(index="logs-gridwarden.finding-default")["count"] == 2
        assert es.search(index="logs-*")["hits"]["hits"][0]["_source"]["event"]["id"] == "a"
        try:
            Elasticsearch(m.url, api_key="wrong").info()
            raise AssertionError("wrong key taken")
        except AuthenticationException:
            pass
    return f"elasticsearch {version('elasticsearch')}: bulk create with 409 and 400 per item, count, search; wrong key refused"


def servicenow():
    from pysnc import ServiceNowClient
    from pysnc import exceptions
    with Mock("servicenow") as m:
        tls = Tls(m.port)
        client = ServiceNowClient(tls.url, ("gridwarden", KEY), verify=tls.ca)
        gr = client.GlideRecord("incident")
        gr.initialize()
        gr.short_description = "one"; gr.correlation_id = "case-1"; gr.correlation_display = "Gridwarden"
        sys_id = gr.insert()
        assert sys_id, "no sys_id"
        again = client.GlideRecord("incident")
        again.add_query("correlation_id", "case-1"); again.query()
        assert again.next() and again.get_value("short_description") == "one"
        again.state = "6"; again.close_notes = "done"
        assert again.update()
        third = client.GlideRecord("incident")
        assert third.get(sys_id) and third.get_value("state") == "6"
        try:
            bad = ServiceNowClient(tls.url, ("gridwarden", "wrong"), verify=tls.ca).GlideRecord("incident"); bad.query()
            raise AssertionError("wrong password taken")
        except (exceptions.AuthenticationException, exceptions.RequestException, exceptions.RoleException):
            pass
        assert len(m.records()) == 1
    return f"pysnc {version('pysnc')}: insert, query, update, get; wrong password refused"


def xsoar():
    import demisto_client
    from demisto_client.demisto_api.rest import ApiException
    said = []
    for system in ("xsoar6", "xsoar8"):
        with Mock(system) as m:
            if system == "xsoar6":
                api = demisto_client.configure(base_url=m.url, api_key=KEY, verify_ssl=False, debug=False)
            else:
                api = demisto_client.configure(base_url=m.url, api_key=KEY, auth_id="7", verify_ssl=False, debug=False)
            incident = demisto_client.demisto_api.CreateIncidentRequest()
            incident.name = "one"; incident.type = "OT Network Detection"; incident.severity = 3
            made = api.create_incident(create_incident_request=incident)
            assert made.id == "1", made
            f = demisto_client.demisto_api.SearchIncidentsData(filter=demisto_client.demisto_api.IncidentFilter(query='name:"one"', size=10))
            found = api.search_incidents(filter=f)
            assert found.total == 1 and found.data[0].name == "one", found
            try:
                bad = demisto_client.configure(base_url=m.url, api_key="wrong", auth_id="7" if system == "xsoar8" else None, verify_ssl=False)
                bad.create_incident(create_incident_request=incident)
                raise AssertionError("wrong key taken")
            except ApiException as e:
                assert e.status == 403, e
            assert len(m.records()) == 1
            said.append(system[-1])
    return f"demisto-py {version('demisto-py')}: create and search on versions {' and '.join(said)}; wrong key refused (403)"


def delivered(program, analysis, folder):
    """Sends an analysis to all mocks, each with faults before it answers properly; what arrived is read back by the clients."""
    from elasticsearch import Elasticsearch
    from pysnc import ServiceNowClient
    import demisto_client
    lines = lambda name: [json.loads(l) for l in open(os.path.join(analysis, name))]
    rank = ["info", "low", "medium", "high", "critical"]
    findings = {f["id"] for f in lines("alerts.ndjson") if rank.index(f["severity"]) >= 1}
    cases = {c["id"] for c in lines("cases.ndjson") if rank.index(c["severity"]) >= 1}
    assert findings and cases, "nothing to send"
    secret = os.path.join(folder, "key")
    with open(secret, "w") as f:
        f.write(KEY)
    os.chmod(secret, 0o600)
    kinds = {
        "splunk": 'kind = "splunk-hec"\ntoken = "file:{}"', "splunk-ack": 'kind = "splunk-hec"\nacknowledge = true\ntoken = "file:{}"',
        "elastic": 'kind = "elasticsearch"\napi_key = "file:{}"', "servicenow": 'kind = "servicenow"\nuser = "gridwarden"\npassword = "file:{}"',
        "xsoar6": 'kind = "xsoar"\nkey = "file:{}"', "xsoar8": 'kind = "xsoar"\nkey_id = "7"\nadvanced = true\nkey = "file:{}"',
        "webhook": 'kind = "webhook"\nsecret = "file:{}"',
    }
    mocks = {name: Mock(name) for name in kinds}
    config = os.path.join(folder, "all.toml")
    with open(config, "w") as f:
        f.write('[sender]\nlink = "https://gridwarden.example.com/findings/{id}"\n')
        for name, kind in kinds.items():
            f.write(f'[[destination]]\nname = "{name}"\nurl = "{mocks[name].url}"\ntimeout_s = 2\nseverity = "low"\n{kind.format(secret)}\n')
    # Two faults each: after every one the sender waits, twice as long as before.
    faults = dict(zip(mocks, ["503,cut", "429,page", "cut,500", "page,503", "500,429", "nonsense,cut", "503,500"]))
    for name, m in mocks.items():
        urllib.request.urlopen(urllib.request.Request(m.url + "/_mock/plan", data=faults[name].encode()))
    queue = os.path.join(folder, "queues")
    run = subprocess.run([program, "connect", "send", config, analysis, "--queue", queue, "--within", "60"], capture_output=True, text=True)
    print("    " + run.stdout.strip().replace("\n", "\n    "))
    assert run.returncode == 0, run.stderr
    # Sent a second time, nothing stands there twice where the receiver has a key.
    again = subprocess.run([program, "connect", "send", config, analysis, "--queue", queue + "2", "--within", "60"], capture_output=True, text=True)
    assert again.returncode == 0, again.stdout + again.stderr
    es = Elasticsearch(mocks["elastic"].url, api_key=KEY)
    held = [h["_source"] for h in es.search(index="logs-*", size=1000)["hits"]["hits"]]
    # An acknowledged event is known by id and revision; the finding itself by its own id.
    assert len(held) == len(findings), f"Elasticsearch holds {len(held)} of {len(findings)}"
    tls = Tls(mocks["servicenow"].port)
    found = ServiceNowClient(tls.url, ("gridwarden", KEY), verify=tls.ca).GlideRecord("incident")
    found.add_query("correlation_display", "Gridwarden"); found.query()
    assert sorted(r.get_value("correlation_id") for r in found) == sorted(cases), "ServiceNow holds other incidents"
    for name in ("xsoar6", "xsoar8"):
        api = demisto_client.configure(base_url=mocks[name].url, api_key=KEY, auth_id="7" if name == "xsoar8" else None, verify_ssl=False)
        f = demisto_client.demisto_api.SearchIncidentsData(filter=demisto_client.demisto_api.IncidentFilter(size=1000))
        # The client's model of an incident leaves out the mirror's id: it counts, the mock says which.
        assert len(api.search_incidents(filter=f).data) == len(cases), f"{name} shows another number of incidents"
        assert sorted(r["dbotMirrorId"] for r in mocks[name].records()) == sorted(cases), f"{name} holds other incidents"
    for name in ("splunk", "splunk-ack"):
        ids = {r["event"]["id"] for r in mocks[name].records() if r["sourcetype"] == "gridwarden:alert"}
        assert {i.split("-")[0] for i in ids} == findings, f"{name} holds other events"
    assert {r["id"].split("-")[0] for r in mocks["webhook"].records()} >= findings, "the webhook got other events"
    print(f"sent through two faults each (503, 500, 429, cut, a page, nonsense), and all of it once more: {len(findings)} findings in Splunk (with and without "
          f"acknowledgement), Elasticsearch and the webhook, {len(cases)} cases in ServiceNow and XSOAR 6 and 8, each once by key, read back by their clients")
    for m in mocks.values():
        m.__exit__()


if len(sys.argv) > 2:
    delivered(*sys.argv[2:5])
    sys.exit(0)
CLIENTS = (splunk, elastic, servicenow, xsoar)
failed = 0
for one in CLIENTS:
    try:
        print(f"client agrees with mock: {one.__name__:11} {one()}")
    except Exception as e:
        failed += 1
        print(f"client DISAGREES: {one.__name__}: {type(e).__name__}: {str(e)[:600]}")
print(f"clients that agree: {len(CLIENTS) - failed} of {len(CLIENTS)}")
sys.exit(1 if failed else 0)
