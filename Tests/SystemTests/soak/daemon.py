"""The daemon under test: its processes, its spool and what the system shows of it."""

import json
import os
import signal
import socket
import subprocess
import threading
import time


class Daemon:
    """One configuration, one spool and one ledger in `place`; many processes, one after another."""

    def __init__(self, program, place, ports):
        self.program = program
        self.place = place
        self.ports = ports
        self.process = None
        self.ready = 0
        self.log = open(self.path("log"), "ab")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.socket.bind(self.path("notify"))
        threading.Thread(target=self.listen, daemon=True).start()
        self.rates = {f"relay{number + 1}": 3000 for number in range(len(ports))}
        self.write_configuration()

    def path(self, *names):
        return os.path.join(self.place, *names)

    @property
    def ledger(self):
        return self.path("ledger.sqlite")

    def listen(self):
        while True:
            message = self.socket.recv(8192).decode("utf-8", "replace")
            if "READY=1" in message.split("\n"):
                self.ready += 1

    def write_configuration(self):
        """The relays of `rates`, in a file that is replaced at once."""
        text = f'[spool]\ndirectory = "{self.path("spool")}"\n[ledger]\npath = "{self.ledger}"\n'
        for name, rate in self.rates.items():
            port = self.ports[int(name.removeprefix("relay")) - 1]
            text += f'[relays.{name}]\nurl = "smtp://127.0.0.1:{port}"\nmessages_per_hour = {rate}\n'
            text += 'hello_name = "soak.example"\nidle_timeout = 3\n'
        text += "[sending]\nretry_after = [2, 4, 8]\n"
        with open(self.path("new.toml"), "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(self.path("new.toml"), self.path("campaignd.toml"))

    def start(self):
        before = self.ready
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("WATCHDOG_", "LISTEN_")) and name != "JOURNAL_STREAM"}
        environment["NOTIFY_SOCKET"] = self.path("notify")
        self.process = subprocess.Popen(
            [self.program, "--config", self.path("campaignd.toml")], env=environment, stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log)
        self.wait(lambda: self.ready > before, 60, "the daemon is not ready")

    def wait(self, condition, seconds, what):
        deadline = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None:
                raise SystemExit(f"soak: the daemon ended by itself with {self.process.returncode}; see its log")
            if time.monotonic() > deadline:
                raise SystemExit(f"soak: {what} within {seconds} s")
            time.sleep(0.02)

    def reload(self):
        before = self.ready
        self.process.send_signal(signal.SIGHUP)
        self.wait(lambda: self.ready > before, 60, "the configuration is not reloaded")

    def end(self, number):
        """SIGTERM or SIGKILL. An orderly stop must end with status 0."""
        self.process.send_signal(number)
        status = self.process.wait(60)
        if status != (0 if number == signal.SIGTERM else -number):
            raise SystemExit(f"soak: after {signal.Signals(number).name} the daemon ended with {status}")

    def drop(self, name, job, files=None):
        """By the protocol: write in tmp/, sync, rename."""
        isBundle = files is not None
        draft = self.path("spool", "tmp", name + (".job" if isBundle else ".json"))
        text = job if isinstance(job, bytes) else json.dumps(job).encode()
        if isBundle:
            os.mkdir(draft)
        for file, content in ({"job.json": text} | files).items() if isBundle else [(None, text)]:
            with open(os.path.join(draft, file) if file else draft, "xb") as handle:
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())
        os.rename(draft, self.path("spool", "incoming", os.path.basename(draft)))

    def receipt(self, name):
        try:
            with open(self.path("spool", "receipts", name, "receipt.json"), encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return None

    def sample(self):
        """What the process and its files amount to at this moment."""
        directory = f"/proc/{self.process.pid}"
        with open(f"{directory}/status", encoding="utf-8") as file:
            status = dict(line.rstrip("\n").split(":", 1) for line in file)
        with open(f"{directory}/stat", encoding="utf-8") as file:
            ticks = file.read().rsplit(")", 1)[1].split()
        return {
            "rss": int(status["VmRSS"].split()[0]), "hwm": int(status["VmHWM"].split()[0]),
            "own": int(status["RssAnon"].split()[0]),
            "threads": int(status["Threads"]), "fds": len(os.listdir(f"{directory}/fd")),
            "cpu": (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK"),
            "wal": size(self.ledger + "-wal"), "ledger": size(self.ledger), "files": sum(self.files().values()),
        }

    def files(self):
        """How many files and directories each part of the spool holds."""
        counts = {}
        for part in ("incoming", "tmp", "work/claimed", "work/kept", "work/removed", "receipts", "rejected"):
            counts[part] = sum(len(directories) + len(names)
                               for _, directories, names in os.walk(self.path("spool", part)))
        return counts


def size(path):
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
