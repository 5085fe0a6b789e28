"""The vendors' and the community's own clients against our mocks: each creates, is refused with a wrong credential, and reads back.

usage: connectors.py MOCK-BINARY      prints a line per system; fails where a client disagrees with a mock
"""
import json, os, socket, subprocess, sys, time, urllib.request, warnings
from importlib.metadata import version

warnings.filterwarnings("ignore")
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


def splunk():
    from splunk_hec_handler import SplunkHecHandler
    import logging
    with Mock("splunk") as m:
        h = SplunkHecHandler("127.0.0.1", KEY, port=m.port, proto="http", ssl_verify=False, source="s", sourcetype="gridwarden:alert")
        log = logging.getLogger("hec"); log.setLevel(logging.INFO); log.addHandler(h)
        log.info({"event": "one", "n": 1}); log.info("two")
        got = m.records()
        assert len(got) == 2 and got[0]["sourcetype"] == "gridwarden:alert", got
        bad = SplunkHecHandler("127.0.0.1", "wrong", port=m.port, proto="http", ssl_verify=False)
        log.removeHandler(h); log.addHandler(bad)
        logging.raiseExceptions = False
        log.info("three")
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
        client = ServiceNowClient(m.url, ("gridwarden", KEY))
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
            bad = ServiceNowClient(m.url, ("gridwarden", "wrong")).GlideRecord("incident"); bad.query()
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


failed = 0
for one in (splunk, elastic, servicenow, xsoar):
    try:
        print(f"client agrees with mock: {one.__name__:11} {one()}")
    except Exception as e:
        failed += 1
        print(f"client DISAGREES: {one.__name__}: {type(e).__name__}: {str(e)[:600]}")
sys.exit(1 if failed else 0)
