#!/usr/bin/env bash
# rsyslog reads RFC 3339 times in front of a message and rewrites those with nine digits after the second: one
# nanosecond becomes a millisecond (30.000000001 is 30.001), other values come out with a byte that is no digit. No
# error; six digits are right. Network sensors have nanoseconds to offer.
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
sent 30.123456Z - written 2026-07-30T08:26:30.123456Z
sent 30.000000001Z - written 2026-07-30T08:26:30.001Z
sent 30.123456789Z - written 2026-07-30T08:26:30.?89Z
END
python3 - "$port" <<'END'
import socket, sys

with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as s:
    for t in ("30.123456Z", "30.000000001Z", "30.123456789Z"):
        m = f"<134>2026-07-30T08:26:{t} sensor ndr: sent {t}".encode()
        s.sendall(b"%d %s" % (len(m), m))
END
sleep 1; kill $server; wait $server || true
python3 - >>got <<'END'
for line in open("out", "rb"):
    text = "".join(chr(b) if 32 <= b < 127 else "?" for b in line.strip())
    print("sent", text.split("sent ")[1], "- written", text.split(" time ")[1].split(" ")[0])
END
cat got
diff want got && echo "unchanged"
