"""Loses UDP packets, by a model of two states (Gilbert): a good one that loses none, and a bad one that loses all.

    impair.py SEED PORTS [PORTS...]

PORTS are as iptables takes them: 10000:10400. Packets from or to them are taken out of the kernel's queue (nfnetlink_queue)
and put back or not. Each direction of each conversation has states of its own, so that one cannot decide the loss of another.
To be run where its rules harm nobody: in a network namespace of its own (script/apart). On standard input come lines "SHARE
AWAY ROW": the share of packets lost from here on, that of conversations with anybody who is not on 127.0.0.1, and how many in a
row on average, 0 for losses that do not depend on each other. Each is answered by a line with the packets seen and lost up to there.
"""

import random
import select
import socket
import struct
import subprocess
import sys

QUEUE = 7
NETFILTER = 12  # the netlink family
PACKET, VERDICT, CONFIG = 0x300, 0x301, 0x302  # messages of the queue subsystem (3)
REQUEST = 1
CFG_CMD, CFG_PARAMS, CFG_QUEUE_MAXLEN = 1, 2, 3
BIND, COPY_PACKET = 1, 2
ATTR_HEADER, ATTR_VERDICT, ATTR_PAYLOAD = 1, 2, 10
DROP, ACCEPT = 0, 1
HEADERS = 28  # octets of each packet that are looked at: IPv4 without options, and UDP
LOOPBACK = bytes([127, 0, 0, 1, 127, 0, 0, 1])  # from there to there


class Wire:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.bad = False

    def loses(self, share, row):
        recovers = 1 / row if row else 1 - share
        leaves = recovers if self.bad else recovers * share / (1 - share)
        if self.random.random() < leaves:
            self.bad = not self.bad
        return self.bad


def attribute(kind, value):
    return struct.pack("=HH", len(value) + 4, kind) + value + bytes(-len(value) % 4)


def message(kind, attributes):
    body = struct.pack("=BBH", 0, 0, socket.htons(QUEUE)) + attributes
    return struct.pack("=IHHII", len(body) + 16, kind, REQUEST, 0, 0) + body


def attributes(body):
    found, at = {}, 0
    while at + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, at)
        found[kind & 0x7FFF] = body[at + 4 : at + length]
        at += max(4, (length + 3) & ~3)
    return found


def packets(data):
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if kind == PACKET:
            yield attributes(data[at + 20 : at + length])
        at += max(16, (length + 3) & ~3)


def bind():
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER)
    netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    netlink.bind((0, 0))
    netlink.send(message(CONFIG, attribute(CFG_CMD, struct.pack(">BBH", BIND, 0, socket.AF_INET))))
    netlink.send(message(CONFIG, attribute(CFG_PARAMS, struct.pack(">IB", HEADERS, COPY_PACKET))))
    netlink.send(message(CONFIG, attribute(CFG_QUEUE_MAXLEN, struct.pack(">I", 8192))))
    return netlink


def main(seed, *ports):
    netlink = bind()
    for some in ports:
        rule = ["-p", "udp", "-m", "multiport", "--ports", some, "-j", "NFQUEUE", "--queue-num", str(QUEUE), "--queue-bypass"]
        subprocess.check_call(["iptables", "-A", "INPUT", *rule])
    wires, share, away, row, seen, lost = {}, 0.0, 0.0, 0.0, 0, 0
    print("ready", flush=True)
    while True:
        for ready in select.select([netlink, sys.stdin], [], [])[0]:
            if ready is sys.stdin:
                line = sys.stdin.readline()
                if not line:
                    return
                share, away, row = map(float, line.split())
                print(seen, lost, flush=True)
                seen = lost = 0
                continue
            for packet in packets(netlink.recv(1 << 16)):
                number = packet[ATTR_HEADER][:4]
                flow = packet[ATTR_PAYLOAD][12:24]
                wire = wires.setdefault(flow, Wire(f"{seed}-{len(wires)}"))
                of_this = share if flow[:8] == LOOPBACK else away
                drop = of_this > 0 and wire.loses(of_this, row)
                seen, lost = seen + 1, lost + drop
                verdict = struct.pack(">I", DROP if drop else ACCEPT) + number
                netlink.send(message(VERDICT, attribute(ATTR_VERDICT, verdict)))


if __name__ == "__main__":
    main(*sys.argv[1:])
