#!/usr/bin/env bash
# The SQLite backend of pySigma turns `|cidr` into LIKE on the text of the address. For IPv6 it leaves the zero groups
# out: 2001:db8::/48 becomes LIKE '2001:db8:%', 65,536 times the network, the same as /32. A filter that exempts one's
# own /48 exempts the neighbours. IPv4 is right.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pysigma==1.5.1 pysigma-backend-sqlite==2.0.0
cat >want <<'END'
pysigma-backend-sqlite 2.0.0
2001:db8::/48  found ['2001:db8::5', '2001:db8:abcd::5'], in it ['2001:db8::5']
2001:db8::/32  found ['2001:db8::5', '2001:db8:abcd::5'], in it ['2001:db8::5', '2001:db8:abcd::5']
10.1.0.0/20    found ['10.1.2.3'], in it ['10.1.2.3']
END
venv/bin/python - >got <<'END'
import ipaddress, sqlite3
from importlib.metadata import version
from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection

print("pysigma-backend-sqlite", version("pysigma-backend-sqlite"))
db = sqlite3.connect(":memory:")
db.execute("create table logs(src_ip)")
addresses = ["2001:db8::5", "2001:db8:abcd::5", "10.1.2.3", "10.1.200.3"]
db.executemany("insert into logs values (?)", [(a,) for a in addresses])
for net in ("2001:db8::/48", "2001:db8::/32", "10.1.0.0/20"):
    rule = f"title: t\nlogsource: {{category: network}}\ndetection: {{a: {{src_ip|cidr: '{net}'}}, condition: a}}"
    found = [a for (a,) in db.execute(sqliteBackend().convert(SigmaCollection.from_yaml(rule))[0])]
    print(f"{net:14} found {found}, in it {[a for a in addresses if ipaddress.ip_address(a) in ipaddress.ip_network(net)]}")
END
cat got
diff want got && echo "unchanged"
