#!/usr/bin/env python3
"""Copies a classic little-endian pcap without one frame in a hundred and without one whole minute: thin.py IN OUT SEED."""
import random, struct, sys

source, target, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
rng, data = random.Random(seed), open(source, 'rb').read()
first = struct.unpack_from('<I', data, 24)[0]
begin = first + 4 * 3600 + rng.randrange(1800)
frames = left_out = 0
at = 24
with open(target, 'wb') as out:
    out.write(data[:at])
    while at < len(data):
        second, _, captured, _ = struct.unpack_from('<IIII', data, at)
        end = at + 16 + captured
        frames += 1
        if begin <= second < begin + 60 or rng.random() < 0.01: left_out += 1
        else: out.write(data[at:end])
        at = end
print(f'{frames} frames, {left_out} left out: one in a hundred, and the minute from second {begin - first} on')
