"""campaignd as a process with everything it has in one directory, and what a submitting program does with it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time

LIMIT_PER_HOUR = 3000

CONFIGURATION = f"""\
[spool]
directory = "spool"
[ledger]
path = "ledger.sqlite"
[presets]
directory = "../config/presets"
[sending]
language = "nl"
[relays.default]
url = "maildir:spool/outbox"
messages_per_hour = {LIMIT_PER_HOUR}
senders = ["*@bibliotheek.example"]
"""


class Deviation(Exception):
    """Something is not as it should be; the sentence says what."""


class Daemon:
    """The program under demonstration, in a directory of its own."""

    def __init__(self, program, directory):
        self.program = os.path.abspath(program)
        self.directory = os.path.abspath(directory)
        self.spool = self.path("spool")
        self.process = None
        self.notices = None

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def shown(self, path):
        return os.path.relpath(path, os.path.dirname(self.directory))

    def start_afresh(self):
        self.end_forgotten()
        shutil.rmtree(self.directory, ignore_errors=True)
        if os.path.exists(self.directory):
            raise Deviation(f"{self.directory} cannot be emptied: remove it, as the user that made it")
        os.makedirs(self.directory)
        with open(self.path("campaignd.toml"), "x", encoding="utf-8") as file:
            file.write(CONFIGURATION)
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notices.bind(f"\0campaignd-demonstration-{os.getpid()}")
        self.notices.setblocking(False)
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("WATCHDOG_", "LISTEN_")) and name != "JOURNAL_STREAM"}
        environment["NOTIFY_SOCKET"] = f"@campaignd-demonstration-{os.getpid()}"
        with open(self.path("campaignd.log"), "wb") as log:
            self.process = subprocess.Popen(
                [self.program, "--config", self.path("campaignd.toml")], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=environment, start_new_session=True)
        with open(self.path("campaignd.pid"), "x", encoding="ascii") as file:
            file.write(f"{self.process.pid}\n")
        for _ in range(300):
            if "READY=1" in self.notices_while_running():
                return
            time.sleep(0.1)
        raise Deviation("the daemon was not ready within 30 seconds")

    def notices_while_running(self):
        """What the daemon has told its service manager since the last call; it must run."""
        status = self.process.poll()
        if status is not None:
            raise Deviation(f"the daemon ended with status {status}")
        lines = []
        while True:
            try:
                lines += self.notices.recv(4096).decode().split("\n")
            except BlockingIOError:
                return lines

    def end_forgotten(self):
        """A demonstration that was killed may have left its daemon running in the directory."""
        try:
            with open(self.path("campaignd.pid"), encoding="ascii") as file:
                pid = int(file.read())
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if self.path("campaignd.toml").encode() in file.read().split(b"\0"):
                    os.kill(pid, signal.SIGTERM)
            for _ in range(100):
                if not os.path.exists(f"/proc/{pid}"):
                    return
                time.sleep(0.1)
        except (OSError, ValueError):
            return

    def last_words(self, count=5):
        try:
            with open(self.path("campaignd.log"), encoding="utf-8", errors="replace") as file:
                return file.read().splitlines()[-count:]
        except OSError:
            return []

    def stop(self):
        """Returns the exit status, or None if the daemon never ran."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        try:
            os.remove(self.path("campaignd.pid"))
        except FileNotFoundError:
            pass
        return status

    def drop(self, name, files):
        """Drops a bundle: written and synced in tmp/, one rename into incoming/."""
        draft = os.path.join(self.spool, "tmp", f"{name}.{os.getpid()}.job")
        os.mkdir(draft)
        for path in files:
            with open(path, "rb") as source, open(os.path.join(draft, os.path.basename(path)), "xb") as copy:
                copy.write(source.read())
                copy.flush()
                os.fsync(copy.fileno())
        descriptor = os.open(draft, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        os.rename(draft, os.path.join(self.spool, "incoming", f"{name}.job"))

    def receipt(self, name):
        """The receipt as it is now, or None."""
        try:
            with open(os.path.join(self.spool, "receipts", name, "receipt.json"), "rb") as file:
                receipt = json.load(file)
        except FileNotFoundError:
            return None
        if receipt["state"] in ("rejected", "paused", "held"):
            reasons = [error["message"] for error in receipt["errors"]] + [receipt["pausedBecause"] or ""]
            raise Deviation(f"the job {name} is {receipt['state']}: {' '.join(reasons).strip()}")
        return receipt

    def wait_for(self, name, is_enough, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.notices_while_running()
            receipt = self.receipt(name)
            if receipt is not None and is_enough(receipt):
                return receipt
            time.sleep(0.1)
        raise Deviation(f"{self.shown(self.spool)}/receipts/{name}/receipt.json did not come within {seconds} seconds")
