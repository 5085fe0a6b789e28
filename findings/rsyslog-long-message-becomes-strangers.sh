#!/usr/bin/env bash
# A message of 20,000 octets to rsyslog's imtcp, correctly counted, is not cut but split: the first 8,096 octets keep
# their head, the rest arrives as two more messages of priority 13 from the receiving host's own name, dated on arrival,
# with the text as program name. Rules by priority or host do not see them. The log says "truncating".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
command -v rsyslogd >/dev/null || apt-get install -y -qq --no-install-recommends rsyslog=8.2302.0-1+deb12u2 >/dev/null
dpkg-query -W rsyslog >got
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >rsyslog.conf <<END
module(load="imtcp")
input(type="imtcp" port="$port" address="127.0.0.1")
set \$!length = strlen(\$msg);
template(name="line" type="string" string="pri %pri% from %hostname% tag %syslogtag:1:12% time %timestamp:::date-rfc3339% length %\$!length%: %msg:1:60%\n")
action(type="omfile" file="$work/out" template="line")
END
rsyslogd -n -f "$work/rsyslog.conf" -i "$work/pid" >log 2>&1 &
server=$!
trap 'kill $server 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 50); do sleep 0.1; if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi; done
cat >want <<'END'
rsyslog	8.2302.0-1+deb12u2
pri 130 from sensor tag ndr length 8051
pri 13 from this host tag xxxxxxxxxxxx length 7586
pri 13 from this host tag xxxxxxxxxxxx length 3341
pri 130 from sensor tag ndr length 5
max msg size is 8096, truncating
END
python3 - "$port" <<'END'
import socket, sys

with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as s:
    for text in ("x" * 20000, "after"):
        m = f"<130>1 2026-07-30T08:26:40Z sensor ndr - 1 - {text}".encode()
        s.sendall(b"%d %s" % (len(m), m))
END
sleep 1; kill $server; wait $server || true
sed -E 's/ time .* length ([0-9]+):.*/ length \1/; s/ from (localhost|127.0.0.1)/ from this host/' out >>got
grep -o 'max msg size is 8096, truncating' log >>got
cat got
diff want got && echo "unchanged"
