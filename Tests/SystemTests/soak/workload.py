"""What the daemon has to do all the time: campaigns, and everything that may come between."""

import csv
import random
import signal
import time

RELAYS = 12
# New campaigns begin while fewer messages than this are queued; one alone may wait long for a message put off.
QUEUED = 150
AT_ONCE = 15
EVERY = {"withdraw": 12, "pause": 15, "cancel": 70, "repeat": 12, "reject": 12, "reload": 30, "import": 60}
BETWEEN_RESTARTS = 30


class Campaign:
    """One mailing, as it was asked for."""

    def __init__(self, name, addresses, drop):
        self.name = name
        self.addresses = addresses
        self.drop = drop
        self.queued = len(addresses)
        self.began = time.monotonic()
        self.isAnswered = False
        self.pausedUntil = None
        self.cancelled = False


class Workload:
    """Keeps campaigns running and disturbs them, by chance and by the clock."""

    def __init__(self, daemon, relays, seed):
        self.daemon = daemon
        self.relays = relays
        self.random = random.Random(seed)
        self.pool = []
        self.active = {}
        self.ended = []
        self.last = {}
        self.number = 0
        self.counts = {}
        self.withdrawing = {}
        self.withdrawn = {}
        self.answers = {}
        self.unexplained = []
        self.restarts = None
        self.due = {what: time.monotonic() + seconds for what, seconds in EVERY.items()}

    def name(self, kind):
        self.number += 1
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return f"{kind}-{self.number:05}"

    def expect(self, name, *states):
        """The drop of this name must be answered by one of these states."""
        self.answers[name] = (time.monotonic(), states)

    def step(self, isLoaded=True):
        """One round: new campaigns, what is due, what the receipts say."""
        now = time.monotonic()
        if isLoaded:
            while len(self.active) < AT_ONCE and sum(one.queued for one in self.active.values()) < QUEUED:
                self.mail()
            for what, moment in self.due.items():
                if now >= moment:
                    self.due[what] = now + EVERY[what] * self.random.uniform(0.6, 1.4)
                    getattr(self, "do_" + what)()
            if self.restarts is not None and now >= self.restarts:
                self.restart(signal.SIGKILL if self.counts.get("SIGKILL", 0) <= self.counts.get("SIGTERM", 0)
                             else signal.SIGTERM)
                self.restarts = time.monotonic() + BETWEEN_RESTARTS * self.random.uniform(0.3, 1.7)
        self.read()

    def disturb(self, isDisturbed):
        """From now on the daemon is stopped and killed, or is not."""
        self.restarts = time.monotonic() + 5 if isDisturbed else None

    def restart(self, number):
        self.daemon.end(number)
        self.counts[number.name] = self.counts.get(number.name, 0) + 1
        self.daemon.start()

    def mail(self):
        name = self.name("campaign")
        addresses = self.random.sample(self.pool, self.random.randint(20, 120))
        job = {"kind": "campaign", "id": name, "purpose": "newsletter",
               "from": {"name": "The Library", "address": "news@library.example"},
               "reason": "You get this newsletter because you asked the library for it.",
               "subject": f"News [{name}]", "text": f"Good morning,\n\nthis is {name}.\n" * 20}
        listed = [f"relay{number + 1}" for number in range(RELAYS - 1)]
        job["relays"] = sorted(self.random.sample(listed, self.random.randint(4, RELAYS - 1)))
        # The last relay comes and goes; only a campaign that is surely read while it is there may name it.
        if f"relay{RELAYS}" in self.daemon.rates and self.due["reload"] - time.monotonic() > 8:
            job["relays"].append(f"relay{RELAYS}")
        if self.random.random() < 0.5:
            job["recipients"] = [{"address": address} for address in addresses]
            files = None
        else:
            job["recipients"] = [{"list": "readers.csv"}]
            job["attachments"] = ["folder.pdf"]
            files = {"readers.csv": ("email\n" + "\n".join(addresses) + "\n").encode(),
                     "folder.pdf": self.random.randbytes(40_000)}
        self.daemon.drop(name, job, files)
        self.active[name] = Campaign(name, addresses, (name, job, files))

    def do_import(self, count=60):
        name = self.name("contacts")
        people = [f"{name}-{number}@readers.example" for number in range(count)]
        job = {"kind": "contacts", "id": name, "lists": [{"list": "list.csv"}],
               "consent": {"purpose": "newsletter", "column": "News", "accepted": ["Y"], "refused": ["N"],
                           "source": "form", "text": "Yes", "at": "2025-01-15T09:00:00Z"}}
        self.daemon.drop(name, job, {"list.csv": ("email,News\n" + "".join(f"{one},Y\n" for one in people)).encode()})
        self.expect(name, "finished")
        self.daemon.wait(lambda: self.daemon.receipt(name), 120, f"{name} is not answered")
        self.pool += people

    def do_withdraw(self):
        name = self.name("consent")
        person = self.pool.pop(self.random.randrange(len(self.pool)))
        event = {"address": person, "purpose": "newsletter", "event": "withdrawn", "by": "operator",
                 "source": "telephone", "at": "2025-06-15T09:00:00Z"}
        self.daemon.drop(name, {"kind": "consent", "id": name, "events": [event]})
        self.withdrawing[name] = person
        self.expect(name, "finished")

    def control(self, action, campaign):
        name = self.name("control")
        job = {"kind": "control", "id": name, "campaign": campaign.name, "action": action, "reason": "a soak test"}
        self.daemon.drop(name, job)
        # The campaign may have ended meanwhile.
        self.expect(name, "finished", "rejected")

    def running(self):
        return [one for one in self.active.values() if one.isAnswered and not one.pausedUntil and not one.cancelled]

    def do_pause(self):
        for campaign in self.random.sample(self.running(), min(1, len(self.running()))):
            campaign.pausedUntil = time.monotonic() + self.random.uniform(1, 8)
            self.control("pause", campaign)

    def do_cancel(self):
        for campaign in self.random.sample(self.running(), min(1, len(self.running()))):
            campaign.cancelled = True
            self.control("cancel", campaign)

    def do_repeat(self):
        """The same job once more, under another name; the first receipt stays where it is."""
        known = [one.drop for one in self.active.values() if one.isAnswered] + [one.drop for one in self.ended[-3:]]
        if known:
            _, job, files = self.random.choice(known)
            name = self.name("repeat")
            self.daemon.drop(name, job, files)
            self.expect(name)

    def do_reject(self):
        name = self.name("bad")
        job = self.random.choice([
            b'{ "kind": "campaign", ', {"kind": "campaign", "id": name, "subjekt": "wrong"},
            {"kind": "control", "id": name, "campaign": "unknown", "action": "pause", "reason": "wrong"}])
        self.daemon.drop(name, job)
        self.expect(name, "rejected")

    def do_reload(self):
        """Other rates; the last relay goes or comes back."""
        name = f"relay{RELAYS}"
        self.daemon.rates["relay1"] = self.random.choice([1800, 2400, 3000])
        if name in self.daemon.rates:
            del self.daemon.rates[name]
        else:
            self.daemon.rates[name] = 3000
        self.daemon.write_configuration()
        self.daemon.reload()
        self.counts["reload"] = self.counts.get("reload", 0) + 1

    def read(self):
        """Looks at what has been answered."""
        now = time.monotonic()
        for name, (since, states) in list(self.answers.items()):
            receipt = self.daemon.receipt(name)
            if receipt:
                del self.answers[name]
                if states and receipt["state"] not in states:
                    self.unexplained.append(f"{name} is {receipt['state']}: {receipt.get('errors')}")
                if name in self.withdrawing:
                    self.withdrawn[self.withdrawing.pop(name)] = now
            elif now - since > 60:
                del self.answers[name]
                self.unexplained.append(f"{name} has no answer after 60 s")
        for campaign in list(self.active.values()):
            self.follow(campaign, now)

    def follow(self, campaign, now):
        receipt = self.daemon.receipt(campaign.name)
        state = receipt["state"] if receipt else None
        campaign.isAnswered = state is not None
        campaign.queued = receipt["counts"]["queued"] if state in ("running", "paused") else campaign.queued
        if state in ("finished", "cancelled"):
            del self.active[campaign.name]
            self.ended.append(campaign)
        elif state in ("rejected", "expired", "held") or now - campaign.began > 900:
            del self.active[campaign.name]
            self.unexplained.append(f"{campaign.name} is {state}: {receipt}")
        elif campaign.pausedUntil and now > campaign.pausedUntil:
            self.control("resume", campaign)
            # Asked again if it is still paused by then: the pause may be recorded after the resume.
            campaign.pausedUntil = now + 10 if state == "paused" else None
        elif state == "paused" and not campaign.pausedUntil:
            if "soak" not in (receipt["pausedBecause"] or ""):
                self.unexplained.append(f"{campaign.name} is paused: {receipt['pausedBecause']}")
            campaign.pausedUntil = now

    def audit(self):
        """Judges by what the relays saw. Returns doubles, losses and what is unexplained."""
        relays = self.relays
        doubles = [f"{key} {count} times" for key, count in relays.perhaps.items() if count > 1]
        losses, unexplained = [], self.unexplained + relays.violations
        self.states = {}
        for campaign in self.ended:
            with open(self.daemon.path("spool", "receipts", campaign.name, "recipients.csv"), encoding="utf-8") as file:
                rows = {row["address"]: row for row in csv.DictReader(file)}
            for address in campaign.addresses:
                row = rows.get(address, {"state": "not listed", "reason": ""})
                state, key = row["state"], (campaign.name, address)
                self.states[state] = self.states.get(state, 0) + 1
                text = f"{key} is {state} ({row['reason']}), accepted {relays.accepted[key]} times"
                if state == "not listed" or (state == "sent") != (relays.accepted[key] > 0) and state != "uncertain":
                    losses.append(text)
                elif state == "bounced" and address not in relays.refused:
                    unexplained.append(text)
                elif state == "withheld" and address not in self.withdrawn and address not in relays.dead:
                    unexplained.append(text)
                elif state == "cancelled" and not campaign.cancelled:
                    unexplained.append(text)
                elif state in ("queued", "inFlight", "expired"):
                    unexplained.append(text)
        for person, moment in self.withdrawn.items():
            if relays.last_dot.get(person, 0) > moment + 1:
                unexplained.append(f"{person} got a message {relays.last_dot[person] - moment:.1f} s after withdrawing")
        with open(self.daemon.path("log"), encoding="utf-8") as file:
            unexplained += [line.strip() for line in file if " error: " in line or " critical: " in line]
        allowed = 50 + 1
        if relays.closest(60) > allowed:
            unexplained.append(f"a relay got {relays.closest(60)} dots within 60 s, and {allowed} are allowed")
        return doubles, losses, unexplained
