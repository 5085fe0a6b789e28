# Shared by the live shows: a network namespace with a pair of interfaces, a run in it, and what it told. Needs root (a namespace, packet sockets).
[ "$(id -u)" = 0 ] || fail "needs root: network namespaces and packet sockets"
for program in ip tcpreplay python3; do command -v $program >/dev/null || fail "$program is not installed"; done
ns=gw$$; run=
end_live() { [ -z "$run" ] || kill -TERM $run 2>/dev/null || true; ip netns del $ns 2>/dev/null || true; rm -rf "$work"; }
trap end_live EXIT
pair() {
  ip -n $ns link add tap0 type veth peer name feed0
  for i in tap0 feed0; do ip netns exec $ns sysctl -qw net.ipv6.conf.$i.disable_ipv6=1; ip -n $ns link set $i up; done
}
ip netns add $ns; pair
# start DATA ARGS…: runs over tap0 and waits until it watches.
start() {
  local data=$1; shift
  mkdir -p "$data"
  ip netns exec $ns "$gridwarden" run -i tap0 --data "$data" --messages "$data/messages" $no_console -q "$@" & run=$!
  for _ in $(seq 300); do grep -q '"type":"state"' "$data/messages" 2>/dev/null && return; sleep 0.1; done
  fail "the run did not start"
}
stop() { kill -TERM $run; wait $run || fail "the run ended with exit code $?"; run=; }
play() { ip netns exec $ns tcpreplay -q -i feed0 "$@" >"$work/tcpreplay" 2>&1 || { cat "$work/tcpreplay"; fail "tcpreplay"; }; }
# The console is another show's.
no_console=
if "$gridwarden" run --help | grep -q -- --no-console; then no_console=--no-console; fi
