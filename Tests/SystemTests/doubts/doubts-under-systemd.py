#!/usr/bin/env python3
"""Kill campaignd at random moments while a real Postfix takes its messages, and count what arrives behind it.

Usage: with-systemd doubts-under-systemd.py CAMPAIGND REPOSITORY SLOW_DOT MESSAGES KILLS SEED

Installs the built program CAMPAIGND with the unit and the like of REPOSITORY, Postfix as the relay of twenty entries
of the configuration, each with settle_by_journal, and a server behind Postfix that counts. Postfix takes a second to
accept a message, and SLOW_DOT, preloaded into campaignd, holds each dot back for a moment: so that a kill falls
between intent and dot, or between dot and reply, rather than elsewhere. It changes users, /etc and /var, so it is to
be run inside with-systemd, where that is forgotten afterwards.

Prints what it finds, at the end one line beginning with `figures: ` and a JSON object. Exit status: 0 if it came to
its end, whatever was found; else another one.
"""
import collections
import json
import os
import pathlib
import random
import re
import shutil
import socketserver
import sqlite3
import subprocess
import sys
import threading
import time

UNIT = "campaignd.service"
SPOOL = pathlib.Path("/var/spool/campaignd")
CONFIG = pathlib.Path("/etc/campaignd/campaignd.toml")
RELAYS = 20


def run(*command, check=True):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if check and result.returncode != 0:
        raise SystemExit(f"{command} ended with {result.returncode}:\n{result.stdout}")
    return result.stdout


def eventually(seconds, what, condition):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            print(run("journalctl", "--no-pager", "--lines=60", check=False))
            raise SystemExit(f"{what}: not within {seconds} s")
        time.sleep(0.05)


class Sink(socketserver.ThreadingTCPServer):
    """Takes everything and counts it, per recipient and Message-ID."""

    daemon_threads = True
    request_queue_size = 100

    def __init__(self):
        self.lock = threading.Lock()
        self.taken = collections.Counter()
        super().__init__(("127.0.0.1", 0), Session)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Session(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def reply(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.reply("220 sink.example ESMTP")
        recipients = []
        while line := self.rfile.readline():
            words = line.decode("utf-8", "replace").strip()
            verb = words.upper()
            if verb.startswith("EHLO"):
                self.reply("250-sink.example\r\n250 8BITMIME")
            elif verb.startswith("RCPT TO:"):
                recipients.append(words[8:].split(">")[0].strip(" <"))
                self.reply("250 ok")
            elif verb == "DATA":
                self.reply("354 go ahead")
                text = b""
                while (line := self.rfile.readline()) != b".\r\n":
                    if not line:
                        return
                    text += line
                found = re.search(rb"(?im)^message-id:\s*<([^>]*)>", text)
                with self.server.lock:
                    for recipient in recipients:
                        self.server.taken[recipient, found.group(1).decode() if found else ""] += 1
                self.reply("250 ok")
                recipients = []
            elif verb == "QUIT":
                self.reply("221 bye")
                return
            else:
                self.reply("250 ok")


def install(program, repository, slow_dot):
    for source, target, mode in [
        (program, "/usr/bin/campaignd", 0o755),
        (f"{repository}/systemd/campaignd.service", "/usr/lib/systemd/system/campaignd.service", 0o644),
        (f"{repository}/systemd/sysusers.d/campaignd.conf", "/usr/lib/sysusers.d/campaignd.conf", 0o644),
        (f"{repository}/systemd/tmpfiles.d/campaignd.conf", "/usr/lib/tmpfiles.d/campaignd.conf", 0o644),
        (slow_dot, "/usr/lib/slow-dot.so", 0o755),
    ]:
        shutil.copyfile(source, target)
        os.chmod(target, mode)
    run("systemd-sysusers")
    run("systemd-tmpfiles", "--create", "campaignd.conf")
    drop_in = pathlib.Path(f"/etc/systemd/system/{UNIT}.d")
    drop_in.mkdir(parents=True)
    (drop_in / "test.conf").write_text(
        "[Unit]\nStartLimitIntervalSec=0\n"
        "[Service]\nRestartSec=100ms\nSupplementaryGroups=systemd-journal\n"
        "Environment=LD_PRELOAD=/usr/lib/slow-dot.so SLOW_DOT_MS=600\n"
    )
    run("systemctl", "daemon-reload")


def configure():
    text = f'[spool]\ndirectory = "{SPOOL}"\n[ledger]\npath = "/var/lib/campaignd/ledger.sqlite"\n'
    for number in range(RELAYS):
        text += (
            f'[relays.r{number}]\nurl = "smtp://127.0.0.1:25"\nmessages_per_hour = 3000\n'
            'senders = ["*@library.example"]\nsettle_by_journal = true\n'
        )
    CONFIG.parent.mkdir(exist_ok=True)
    CONFIG.write_text(text)


def start_postfix(port):
    for setting in [
        "compatibility_level=3.6", "myhostname=relay.example", "mydestination=", "inet_interfaces=127.0.0.1",
        "inet_protocols=ipv4", f"relayhost=[127.0.0.1]:{port}", "smtpd_client_port_logging=yes",
        "smtpd_peername_lookup=no", "smtpd_end_of_data_restrictions=sleep 1", "mynetworks=127.0.0.0/8",
        "smtpd_relay_restrictions=permit_mynetworks, reject", "smtpd_tls_security_level=none",
    ]:
        run("postconf", "-e", setting)
    run("systemctl", "start", "postfix@-.service")
    eventually(20, "Postfix listens", lambda: ":0019 00000000:0000 0A" in pathlib.Path("/proc/net/tcp").read_text())


def drop(name, job, files):
    place = SPOOL / "tmp" / name
    place.mkdir()
    for file, text in {**files, "job.json": json.dumps(job)}.items():
        (place / file).write_text(text)
    os.sync()
    place.rename(SPOOL / "incoming" / name)


def receipt(name="news"):
    try:
        return json.loads((SPOOL / "receipts" / name / "receipt.json").read_text())
    except FileNotFoundError:
        return {"state": None, "counts": collections.Counter()}


def property_of(name):
    return run("systemctl", "show", "--property", name, "--value", UNIT).strip()


def kill():
    before = property_of("NRestarts")
    run("systemctl", "kill", "--signal=KILL", UNIT)
    eventually(
        30, "systemd starts campaignd again",
        lambda: property_of("NRestarts") != before and property_of("ActiveState") == "active")


def ledger(query):
    """The first value of the first row."""
    database = sqlite3.connect("file:/var/lib/campaignd/ledger.sqlite?mode=ro", uri=True, timeout=30)
    try:
        return database.execute(query).fetchone()[0] or 0
    finally:
        database.close()


def kill_at_random(kills, chance):
    done = 0
    for number in range(kills):
        # Some before campaignd sends again, most while it does.
        pause = chance.uniform(0, 0.5) if chance.random() < 0.15 else chance.uniform(1.2, 2.8)
        time.sleep(pause)
        if receipt()["state"] == "finished":
            print(f"the campaign ended before kill {number + 1}")
            break
        kill()
        done += 1
    return done


def is_settled():
    now = receipt()
    counts = now["counts"]
    return now["state"] == "finished" and counts["uncertain"] == counts["queued"] == counts["inFlight"] == 0


def main():
    program, repository, slow_dot = sys.argv[1:4]
    messages, kills, seed = map(int, sys.argv[4:7])
    chance = random.Random(seed)
    sink = Sink()
    install(program, repository, slow_dot)
    configure()
    start_postfix(sink.server_address[1])
    run("systemctl", "start", UNIT)
    readers = [f"reader{number}@readers.example" for number in range(messages)]
    drop(
        "news.job",
        {
            "kind": "campaign", "id": "news", "purpose": "newsletter", "basis": "service",
            "justification": "a test of the whole", "from": {"name": "Library", "address": "news@library.example"},
            "reason": "You are a reader.", "subject": "News", "text": "There are new books.\n",
            "recipients": [{"list": "list.csv"}], "relays": [f"r{number}" for number in range(RELAYS)],
        },
        {"list.csv": "email\n" + "".join(f"{reader}\n" for reader in readers)},
    )
    eventually(30, "the campaign runs", lambda: receipt()["counts"]["sent"] > 0)
    began = time.monotonic()
    done = kill_at_random(kills, chance)
    killed = time.monotonic()
    deadline = killed + 90
    while not is_settled() and time.monotonic() < deadline:
        time.sleep(0.2)
    settled = time.monotonic()
    eventually(60, "Postfix has sent everything on", lambda: "Mail queue is empty" in run("postqueue", "-p"))
    report(sink, readers, done, killed - began, settled - killed)


def report(sink, readers, kills, killing, settling):
    final = receipt()
    taken = collections.Counter()
    for (recipient, _), count in sink.taken.items():
        taken[recipient] += count
    counts = final["counts"]
    figures = {
        "messages": len(readers), "kills": kills, "state": final["state"], "sent": counts["sent"],
        "uncertain": counts["uncertain"], "doubts": ledger("SELECT sum(doubts) FROM deliveries"),
        "settledAsSent": ledger("SELECT count(*) FROM settlements WHERE kind = 'journal' AND outcome = 'sent'"),
        "settledAsResend": ledger("SELECT count(*) FROM settlements WHERE kind = 'journal' AND outcome = 'resend'"),
        "twice": sum(1 for count in taken.values() if count > 1),
        "lost": sum(1 for reader in readers if taken[reader] == 0),
        "strangers": len(set(taken) - set(readers)),
        "killingSeconds": round(killing, 1), "settlingSeconds": round(settling, 1),
    }
    if figures["uncertain"] or figures["twice"] or figures["lost"] or final["state"] != "finished":
        print(json.dumps(final))
        for reader in [reader for reader in readers if taken[reader] != 1][:10]:
            print(reader, [(key, count) for key, count in sink.taken.items() if key[0] == reader])
        try:
            rows = (SPOOL / "receipts" / "news" / "recipients.csv").read_text().splitlines()
            print("\n".join([row for row in rows if ",uncertain," in row][:10]))
        except FileNotFoundError:
            print("there is no recipients.csv")
        print(run("journalctl", "--quiet", "--no-pager", "--lines=40", "_COMM=campaignd"))
    print("figures: " + json.dumps(figures))


main()
