"""campaignd as a service: installed, asked with systemctl, read with journalctl."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import time

UNIT = "campaignd.service"
SPOOL = pathlib.Path("/var/spool/campaignd")
CONFIGURATION = pathlib.Path("/etc/campaignd/campaignd.toml")


def run(*command, **options):
    return subprocess.run(command, text=True, stdin=subprocess.DEVNULL, capture_output=True, **options)


def eventually(seconds, question):
    """The first answer that is true; None if there is none in that time."""
    end = time.monotonic() + seconds
    while True:
        if answer := question():
            return answer
        if time.monotonic() > end:
            return None
        time.sleep(0.05)


def events(repository):
    """Names of kinds of records by their MESSAGE_ID."""
    text = (repository / "Sources/Daemon/DaemonJournal+Event.swift").read_text()
    return {number: name for name, number in re.findall(r'case (\w+) = "([0-9a-f]{32})"', text)}


def install(program, repository):
    """As `make install` does, and what it says is next."""
    places = {
        "systemd/campaignd.service": "/usr/lib/systemd/system/campaignd.service",
        "systemd/catalog/campaignd.catalog": "/usr/lib/systemd/catalog/campaignd.catalog",
        "systemd/sysusers.d/campaignd.conf": "/usr/lib/sysusers.d/campaignd.conf",
        "systemd/tmpfiles.d/campaignd.conf": "/usr/lib/tmpfiles.d/campaignd.conf",
        "config/campaignd.toml": str(CONFIGURATION),
    }
    shutil.copy(program, "/usr/bin/campaignd")
    os.chmod("/usr/bin/campaignd", 0o755)
    for source, place in places.items():
        os.makedirs(os.path.dirname(place), exist_ok=True)
        shutil.copy(repository / source, place)
        os.chmod(place, 0o644)
    os.makedirs("/var/lib/systemd/catalog", exist_ok=True)
    for command in (["systemd-sysusers"], ["systemd-tmpfiles", "--create", "campaignd.conf"],
                    ["journalctl", "--update-catalog"], ["systemctl", "daemon-reload"]):
        subprocess.run(command, check=True, capture_output=True)


def drop_in(text):
    """Settings beside those of the unit; an empty text for none."""
    place = pathlib.Path(f"/etc/systemd/system/{UNIT}.d/test.conf")
    place.parent.mkdir(exist_ok=True)
    place.write_text(text)
    subprocess.run(["systemctl", "daemon-reload"], check=True)


def properties():
    names = ("ActiveState", "SubState", "Result", "ExecMainStatus", "MainPID", "NRestarts", "StatusText")
    lines = run("systemctl", "show", UNIT, "--property=" + ",".join(names)).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines)


def records(since, *matches):
    """What campaignd wrote into the journal since a moment."""
    run("journalctl", "--sync")
    text = run("journalctl", "--quiet", "--output=json", "--identifier=campaignd", f"--since=@{since:.6f}",
               *matches).stdout
    return [json.loads(line) for line in text.splitlines()]


def drop(name, job):
    """As a program of root does: written elsewhere, synced, renamed."""
    place = SPOOL / "tmp" / name
    with open(place, "w", encoding="utf-8") as file:
        json.dump(job, file)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(place, 0o644)
    os.rename(place, SPOOL / "incoming" / name)


def receipt(name):
    try:
        return json.loads((SPOOL / "receipts" / name / "receipt.json").read_text())
    except FileNotFoundError:
        return None
