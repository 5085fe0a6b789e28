#!/usr/bin/env bash
# Python's own SysLogHandler over TCP ends each message with a NUL octet, neither with a line feed nor with a count in
# front (RFC 6587 knows these two). rsyslog takes all that comes until the connection closes for one message: three
# alarms are one, with the priority of the first, and it arrives when the sender ends.
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
messages received: 1
pri 14:  poll is late#000<10>ndr: breaker opened#000<14>ndr: poll is
END
python3 - "$port" <<'END'
import logging, logging.handlers, socket, sys

handler = logging.handlers.SysLogHandler(("127.0.0.1", int(sys.argv[1])), socktype=socket.SOCK_STREAM)
log = logging.getLogger("ndr")
log.addHandler(handler), log.setLevel(logging.INFO)
log.info("ndr: poll is late"), log.critical("ndr: breaker opened"), log.info("ndr: poll is back")
handler.close()
END
sleep 1; kill $server; wait $server || true
echo "messages received: $(wc -l <out)" >>got
sed -E 's/ from .* length [0-9]+:/:/' out >>got
python3 -V
cat got
diff want got && echo "unchanged"
