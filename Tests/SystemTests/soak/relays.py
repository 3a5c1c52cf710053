"""Relays that count: SMTP servers on 127.0.0.1, one a port, that misbehave now and then."""

import collections
import random
import socket
import threading
import time

# What goes wrong, by the turn of the dialogue: (share, what). The rest succeeds. A relay that is lost before the dot
# makes a message wait for a minute.
FAULTS = {
    "mail": [(0.001, "421 4.3.2 going down\r\n")],
    "rcpt": [(0.006, "451 4.2.0 later, please\r\n"), (0.002, "550 5.1.1 no such mailbox\r\n")],
    "data": [(0.002, "close"), (0.002, "452 4.3.1 no room\r\n")],
    "dot": [(0.006, "451 4.3.0 later, please\r\n"), (0.003, "554 5.6.0 not this message\r\n"),
            (0.004, "take and close"), (0.003, "close"), (0.01, "slow")],
}


class Relays:
    """Several servers and one record of all that they were handed."""

    def __init__(self, count, seed):
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.accepted = collections.Counter()
        self.perhaps = collections.Counter()
        self.last_dot = {}
        self.refused = set()
        self.dead = set()
        self.dots = [[] for _ in range(count)]
        self.violations = []
        self.isPerfect = False
        self.isBrief = False
        self.ports = []
        self.listeners = []
        for number in range(count):
            listener = socket.create_server(("127.0.0.1", 0))
            self.listeners.append(listener)
            self.ports.append(listener.getsockname()[1])
            threading.Thread(target=self.serve, args=(listener, number), daemon=True).start()

    def serve(self, listener, number):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(connection, number), daemon=True).start()

    def stop(self):
        for listener in self.listeners:
            listener.close()

    def fault(self, turn):
        if self.isPerfect:
            return None
        with self.lock:
            point = self.random.random()
        for share, what in FAULTS.get(turn, []):
            if point < share:
                return None if self.isBrief and (turn, what[:3]) in (("mail", "421"), ("data", "clo")) else what
            point -= share
        return None

    def talk(self, connection, number):
        connection.settimeout(120)
        try:
            with connection, connection.makefile("rb") as lines:
                self.dialogue(connection, lines, number)
        except OSError:
            # The daemon was killed, or closed in the middle: what was read until then is recorded.
            pass

    def dialogue(self, connection, lines, number):
        connection.sendall(b"220 relay.example ESMTP\r\n")
        recipient = None
        for line in lines:
            verb = line[:4].upper()
            if verb in (b"EHLO", b"HELO"):
                connection.sendall(b"250-relay.example\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n")
            elif verb == b"MAIL":
                trouble = self.fault("mail")
                connection.sendall((trouble or "250 2.1.0 ok\r\n").encode())
                if trouble:
                    return
            elif verb == b"RCPT":
                address = line[line.index(b"<") + 1:line.index(b">")].decode()
                trouble = self.fault("rcpt")
                if trouble and trouble.startswith("5"):
                    with self.lock:
                        self.refused.add(address)
                        self.dead.add(address)
                recipient = None if trouble else address
                connection.sendall((trouble or "250 2.1.5 ok\r\n").encode())
            elif verb == b"DATA":
                trouble = self.fault("data")
                if trouble == "close":
                    return
                connection.sendall((trouble or "354 go on\r\n").encode())
                if not trouble and not self.body(connection, lines, number, recipient):
                    return
            elif verb in (b"RSET", b"NOOP"):
                connection.sendall(b"250 2.0.0 ok\r\n")
            elif verb == b"QUIT":
                connection.sendall(b"221 2.0.0 bye\r\n")
                return
            else:
                self.violations.append(f"unknown command {line[:40]!r}")
                connection.sendall(b"500 5.5.1 what?\r\n")

    def body(self, connection, lines, number, recipient):
        """Reads to the dot and answers it. Returns whether the connection goes on."""
        campaign, isHead, sawDot = None, True, False
        for line in lines:
            if line == b".\r\n":
                sawDot = True
                break
            if isHead and line.lower().startswith(b"subject:"):
                campaign = line.decode("utf-8", "replace").split("[")[-1].split("]")[0]
            isHead = isHead and line != b"\r\n"
        if not sawDot:
            return False
        moment = time.monotonic()
        trouble = self.fault("dot")
        if trouble == "slow":
            time.sleep(0.4)
            trouble = None
        isTaken = trouble in (None, "take and close")
        with self.lock:
            key = (campaign, recipient)
            self.dots[number].append(moment)
            self.last_dot[recipient] = moment
            if isTaken:
                self.accepted[key] += 1
            if isTaken or trouble == "close":
                self.perhaps[key] += 1
            if trouble and trouble.startswith("5"):
                self.refused.add(recipient)
        if trouble in ("close", "take and close"):
            return False
        connection.sendall((trouble or "250 2.0.0 queued\r\n").encode())
        return True

    def closest(self, window):
        """The most dots that any relay got in so many seconds."""
        most = 0
        for dots in self.dots:
            first = 0
            for last, moment in enumerate(dots):
                while moment - dots[first] >= window:
                    first += 1
                most = max(most, last - first + 1)
        return most
