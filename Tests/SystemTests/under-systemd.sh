#!/bin/bash
#
# under-systemd.sh - check campaignd as a service
#
# Usage: with-systemd under-systemd.sh CAMPAIGND REPOSITORY
#
# Installs the built program CAMPAIGND, and campaignctl from beside it, with the
# unit and the like of REPOSITORY, and looks at it as its users do: programs
# that drop jobs, admins who use systemctl, operators who read the journal and
# ask campaignctl. It changes users, /etc and /var, so it is to be run inside
# with-systemd, where that is forgotten afterwards.
#
# Prints a line for each check, beginning with ok or FAIL. Exit status: 0 if all
# were ok, 1 if not, 2 if the checks could not be run.
#
# Needs the Debian packages jq, passwd, procps and python3.

# shellcheck disable=SC2016,SC2317 # scripts for other users; functions called by name
set -u

spool=/var/spool/campaignd
config=/etc/campaignd/campaignd.toml
unit=campaignd.service
# shellcheck source=SCRIPTDIR/checks.sh
source "${BASH_SOURCE[0]%/*}/checks.sh"

# ------------------------------------------------------------------------ tools

quit() {
    echo "under-systemd.sh: $*" >&2
    exit 2
}

property() { systemctl show --value --property="$1" "$unit"; }

# is PROPERTY VALUE: a property of the unit has that value.
is() {
    local got
    got=$(property "$1")
    [[ $got == "$2" ]] && return
    echo "$1 is '$got', not '$2'"
    return 1
}

# same_process PID: the service is active, and still that process.
same_process() { is ActiveState active && is MainPID "$1"; }

new_process() { is ActiveState active && fails is MainPID "$1"; }

# The first process of the service is there, but has not said that it is ready.
activating() { is ActiveState activating && fails is MainPID 0; }

# campaignd gave a sign of life after it became active.
fed_watchdog() {
    (($(property WatchdogTimestampMonotonic) > $(property ActiveEnterTimestampMonotonic)))
}

# What a process that ended at once has logged may lack its unit, so everything
# is looked up by identifier.
logged() {
    journalctl --sync
    journalctl --quiet --no-pager --identifier=campaignd "$@"
}

# logged_since TIME TEXT: since then a message has TEXT. (Not --after-cursor: with
# a filter, systemd 252 skips the first record that the filter lets through.)
logged_since() {
    logged --output=cat --since="$1" | grep -F -- "$2" >/dev/null && return
    echo "no '$2' in:"
    logged --since="$1" | tail -n 5
    return 1
}

now() { echo "@${EPOCHREALTIME/,/.}"; }

# as USER SCRIPT [ARGUMENT...]: run a script of bash as that user, umask 077.
as() {
    local user=$1 script=$2
    shift 2
    runuser --user "$user" -- bash -c "umask 077; cd $spool || exit; $script" bash "$@"
}

# receipt NAME EXPRESSION: a Python expression about the receipt r, as the
# submitter reads it, is true.
receipt() {
    as submitter "cat receipts/$1/receipt.json" | python3 -c '
import json, sys
r = json.load(sys.stdin)
if not eval("(" + sys.argv[1] + ")"):
    print(json.dumps(r))
    sys.exit(1)' "$2"
}

# metric USER LINE: that user finds this line in the metrics.
metric() {
    as "$1" 'grep -xF -- "$1" /run/campaignd/campaignd.prom || { cat /run/campaignd/campaignd.prom; exit 1; }' "$2"
}

# record CAMPAIGN EXPRESSION: it is true of one of the journal's records j that
# have this CAMPAIGN.
record() {
    logged --output=json "CAMPAIGN=$1" | python3 -c '
import json, sys
records = [json.loads(line) for line in sys.stdin]
if not any(eval("(" + sys.argv[1] + ")") for j in records):
    print(*[{k: v for k, v in j.items() if k[0] != "_"} for j in records], sep="\n")
    sys.exit(1)' "$2"
}

# ----------------------------------------------------------------- environment

write_config() { # MESSAGES_PER_HOUR
    cat >"$config" <<TOML
[spool]
directory = "$spool"
[ledger]
path = "/var/lib/campaignd/ledger.sqlite"
[relays.default]
url = "smtp://127.0.0.1:$port"
messages_per_hour = $1
senders = ["*@library.example"]
TOML
}

# A relay on a free port: takes every message, and answers its final dot after
# the seconds that stand in the file delay. Writes events to the file events.
start_relay() {
    cat >"$work/relay.py" <<'PYTHON'
import pathlib, socketserver, sys, time
work = pathlib.Path(sys.argv[1])

def note(*words):
    with open(work / "events", "a") as file:
        print(*words, file=file)

class Session(socketserver.StreamRequestHandler):
    def reply(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.reply("220 relay.example ESMTP")
        recipient = ""
        while line := self.rfile.readline():
            words = line.decode("utf-8", "replace").strip()
            verb = words.upper()
            if verb.startswith("EHLO"):
                self.reply("250-relay.example\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES")
            elif verb.startswith("RCPT TO:"):
                recipient = words[8:].split(">")[0].strip(" <")
                self.reply("250 2.1.5 ok")
            elif verb == "DATA":
                self.reply("354 go ahead")
                while (line := self.rfile.readline()) != b".\r\n":
                    if not line:
                        note("lost", recipient)
                        return
                note("dot", recipient)
                time.sleep(float((work / "delay").read_text()))
                self.reply("250 2.0.0 queued as 4711")
                note("replied", recipient)
            elif verb == "QUIT":
                self.reply("221 2.0.0 bye")
                return
            else:
                self.reply("250 2.0.0 ok")

class Relay(socketserver.ThreadingTCPServer):
    daemon_threads = True

with Relay(("127.0.0.1", 0), Session) as relay:
    (work / "port.new").write_text(str(relay.server_address[1]))
    (work / "port.new").rename(work / "port")
    relay.serve_forever()
PYTHON
    : >"$work/events"
    echo 0 >"$work/delay"
    python3 "$work/relay.py" "$work" &
    relay=$!
    eventually 10 test -s "$work/port" || quit "the relay of the test did not start"
    port=$(<"$work/port")
}

# events COUNT PATTERN: the relay has noted that many lines like this.
events() {
    local got
    got=$(grep -cx -- "$2" "$work/events")
    [[ $got == "$1" ]] && return
    echo "the relay noted '$2' $got times, not $1:"
    cat "$work/events"
    return 1
}

install_all() {
    install -m 0755 "$program" "${program%/*}/campaignctl" /usr/bin/ &&
        install -D -m 0644 -t /usr/share/campaignd/presets "$repository"/config/presets/*.json &&
        install -m 0644 "$repository/systemd/campaignd.service" /usr/lib/systemd/system/ &&
        install -m 0644 "$repository/systemd/sysusers.d/campaignd.conf" /usr/lib/sysusers.d/ &&
        install -m 0644 "$repository/systemd/tmpfiles.d/campaignd.conf" /usr/lib/tmpfiles.d/ &&
        install -D -m 0644 "$repository/config/campaignd.toml" "$config" &&
        systemd-sysusers && systemd-tmpfiles --create campaignd.conf && systemctl daemon-reload
}

# drop_file NAME and drop_bundle NAME [FILE CONTENT]...: as a program would, with
# the job on standard input. sync(1) with a name is fsync(2).
drop_file() {
    as submitter 'cat >"tmp/$1" && sync "tmp/$1" && mv -T -n "tmp/$1" "incoming/$1" && test ! -e "tmp/$1"' "$1"
}

drop_bundle() {
    as submitter '
        name=$1 && shift && mkdir "tmp/$name" && cat >"tmp/$name/job.json" || exit
        while [[ $# -gt 0 ]]; do
            printf %s "$2" >"tmp/$name/$1" || exit
            shift 2
        done
        sync "tmp/$name"/* "tmp/$name" && mv -T -n "tmp/$name" "incoming/$name" && test ! -e "tmp/$name"' "$@"
}

# ---------------------------------------------------------------------- checks

check_installation() {
    ok "systemd-analyze verify has nothing to say" \
        equal "$(systemd-analyze verify --man=no /usr/lib/systemd/system/campaignd.service 2>&1)" ""
    ok "the shipped configuration is valid" campaignd --check --config "$config"
    ok "the spool's top belongs to root" equal "$(stat -c '%U %a' "$spool")" "root 755"
    ok "a member makes a bundle and moves it into incoming" as submitter \
        'mkdir tmp/try.job && echo secret >tmp/try.job/job.json && mv -T tmp/try.job incoming/.try.job'
    ok "a member cannot list incoming" fails as submitter 'ls incoming'
    ok "a member cannot read, change or take away what another dropped" fails as colleague \
        'cat incoming/.try.job/job.json || touch incoming/.try.job/mine || mv -T incoming/.try.job incoming/.mine'
    ok "the daemon's user takes a bundle away, reads and removes it, in spite of umask 077" as campaignd \
        'mv -T incoming/.try.job work/try && grep -q secret work/try/job.json && rm -r work/try'
    ok "the daemon's user makes a receipt and sets its modes" as campaignd \
        'mkdir receipts/try && chmod 00750 receipts/try && echo {} >receipts/try/receipt.json &&
            chmod 0640 receipts/try/receipt.json'
    ok "a member reads it" as submitter 'cat receipts/try/receipt.json'
    rm -r "$spool/receipts/try"
    ok "who is not a member cannot drop" fails as outsider 'echo "{}" >tmp/job.json || echo "{}" >incoming/job.json'
    ok "who is not a member cannot see the receipts" fails as outsider 'ls receipts'
}

check_start() {
    # Something that takes its time before the program itself begins.
    mkdir -p "/run/systemd/system/$unit.d"
    cat >"/run/systemd/system/$unit.d/late.conf" <<UNIT
[Service]
ExecStart=
ExecStart=/bin/bash -c 'until [[ -e $work/go ]]; do sleep 0.1; done; exec campaignd --config $config'
UNIT
    systemctl daemon-reload
    systemctl start --no-block "$unit"
    ok "the service is activating as long as campaignd is not ready" \
        eventually 10 activating
    touch "$work/go"
    ok "it is active once campaignd is ready" eventually 30 is ActiveState active
    systemctl stop "$unit"
    rm "/run/systemd/system/$unit.d/late.conf"
    systemctl daemon-reload

    ok "systemctl start" systemctl start "$unit"
    ok "it is active when start returns" is ActiveState active
    ok "it runs as campaignd" equal "$(stat -c %U "/proc/$(property MainPID)")" campaignd
    ok "systemctl status gives 0" systemctl status --no-pager "$unit"
    ok "systemctl status shows what it does" grep -E '^ +Status: ".+"' <(systemctl status --no-pager "$unit")
}

check_broken_configuration() {
    local begin
    begin=$(now)
    write_config 99
    ok "messages_per_hour = 99 fails the start" fails systemctl start "$unit"
    ok "its exit status is 78" is ExecMainStatus 78
    ok "the unit has failed and waits for no restart" is SubState failed
    ok "it was not restarted" is NRestarts 0
    ok "the journal names the key" logged_since "$begin" messages_per_hour
    ok "and the file" logged_since "$begin" "$config"
    campaignd --check --config "$config" >"$work/check" 2>&1
    ok "campaignd --check gives the same status" equal $? 78
    ok "and names the key" grep messages_per_hour "$work/check"
    write_config 3000
    systemctl reset-failed "$unit"
}

# The faults that doctor finds are these, and their remedies; nothing for none.
# The clock and the disks of a test say nothing about an installation.
faults() {
    campaignctl doctor --json >"$work/doctor"
    python3 -c '
import json, sys
report = json.load(open(sys.argv[1]))
faults = [check for check in report["checks"] if check["outcome"] == "fault"]
told = [check["message"] + check["remedy"] for check in faults]
expected = [words.split("|") for words in sys.argv[2:]]
if report["healthy"] == bool(faults) or len(told) != len(expected) or not all(
        word in text for text, words in zip(told, expected) for word in words):
    print(*[" ".join(str(value) for value in check.values()) for check in report["checks"]], sep="\n")
    sys.exit(1)' "$work/doctor" "$@"
}

# What an operator asks campaignctl, of the service as it is installed.
check_operator() {
    ok "doctor finds no fault" campaignctl doctor
    ok "nor in JSON" faults
    ok "nor does a member who may see less" as submitter 'campaignctl doctor'
    ok "doctor has looked at service, accounts, spool, ledger, presets and relay" \
        equal "$(jq -r '.checks[] | select(.outcome == "ok") | .check' "$work/doctor" |
            grep -cxE 'service|accounts|spool|ledger rights|presets|relay default')" 6
    ok "status says that it is active" grep -E '^service +active \(running\)$' <(campaignctl status)
    ok "and which process it is" equal "$(campaignctl status --json | jq -c '[.running, .pid, .unitState]')" \
        "[true,$(property MainPID),\"active\"]"
    chmod 0777 "$spool/inbound/new" "$spool/outbox"
    ok "doctor finds a Maildir that is open, and the outbox" faults \
        "$spool/inbound/new has mode 0777|systemd-tmpfiles --create campaignd.conf" \
        "$spool/outbox has mode 0777|systemd-tmpfiles --create campaignd.conf"
    ok "its remedy" systemd-tmpfiles --create campaignd.conf
    ok "mends it" faults
    systemctl stop "$unit"
    ok "a stopped daemon is a fault, with its remedy" faults \
        'campaignd does not run: it is inactive|systemctl start campaignd'
    ok "doctor tells so by its exit status" fails campaignctl doctor
    ok "status says that it is not running" grep -E '^daemon +not running' <(campaignctl status)
    ok "and that the service is inactive" equal "$(campaignctl status --json | jq -r .unitState)" inactive
    ok "that remedy" systemctl start campaignd
    ok "mends it too" faults
}

check_jobs() {
    ok "a member drops contacts as a bundle" drop_bundle readers.job readers.csv \
        $'email,name,newsletter\njan@reader.example,Jan,yes\nels@reader.example,Els,no\n' <<'JSON'
{ "kind": "contacts", "id": "readers-1",
  "lists": [ { "list": "readers.csv", "group": "readers" } ],
  "consent": { "purpose": "newsletter", "column": "newsletter", "accepted": ["yes"], "refused": ["no"],
               "source": "form at the desk", "text": "I want to get the newsletter",
               "at": "2026-01-02T10:00:00Z" } }
JSON
    ok "its receipt says finished, to the member" eventually 30 receipt readers 'r["state"] == "finished"'
    ok "incoming is empty again" equal "$(ls -A "$spool/incoming")" ""

    ok "a member drops a campaign as a bundle" drop_bundle books.job body.txt \
        $'Dear {{name}},\n\nthere are new books.\n' <<'JSON'
{ "kind": "campaign", "id": "books-1", "purpose": "newsletter", "basis": "consent",
  "from": { "name": "The library", "address": "news@library.example" },
  "reason": "You get this because you asked for our newsletter.",
  "subject": "New books", "textFile": "body.txt", "defaults": { "name": "reader" },
  "recipients": [ { "group": "readers" } ] }
JSON
    ok "its receipt says finished, one sent, one withheld" eventually 60 receipt books \
        'r["state"] == "finished" and r["counts"]["sent"] == 1 and r["withheld"] == {"refused": 1}'
    ok "the relay has the one message, once" events 1 'dot jan@reader.example'
    ok "and nothing for who refused" events 0 '.* els@.*'
    ok "the journal has the delivery with its fields" record books-1 \
        'j.get("DELIVERY") and j.get("RELAY") == "default" and j.get("OUTCOME") == "sent"
            and j.get("SMTP_CODE") == "250" and j.get("SYSLOG_IDENTIFIER") == "campaignd"'
    ok "somebody else reads in its metrics what was sent" eventually 30 metric outsider \
        'campaignd_deliveries_total{relay="default",campaign="books-1",outcome="sent"} 1'
    ok "a member drops what is not JSON" drop_file bad.json <<<'{ "kind": '
    ok "its receipt says so" eventually 30 receipt bad \
        'r["state"] == "rejected" and r["errors"][0]["message"] and r["errors"][0]["file"]'
}

check_reload() {
    local pid begin
    pid=$(property MainPID)
    ok "systemctl reload with a good configuration" systemctl reload "$unit"
    ok "is active afterwards, the same process" eventually 30 same_process "$pid"
    begin=$(now)
    write_config 99
    systemctl reload "$unit" # may or may not report it: the signal is all it waits for
    ok "a reload with a bad one is explained in the journal" eventually 30 logged_since "$begin" messages_per_hour
    ok "and leaves the old one in force" eventually 30 same_process "$pid"
    ok "the metrics say so" eventually 30 metric outsider 'campaignd_config_last_reload_successful 0'
    write_config 3000
    ok "a good one is taken again" systemctl reload "$unit"
    ok "and it is active, the same process" eventually 30 same_process "$pid"
}

# Real users and groups, as the system's database has them.
check_rights() {
    ok "systemd-sysusers made the admin group" getent group campaignd-admin
    ok "a member may not control campaigns" drop_file control-1.json <<<"$(control control-1)"
    ok "and is told so, by name" eventually 30 receipt control-1 \
        'r["state"] == "rejected" and r["errors"][0]["pointer"] == "/kind"
            and "the user submitter (uid" in r["errors"][0]["message"]'
    ok "becomes an admin" usermod --append --groups campaignd-admin submitter
    ok "drops the same again" drop_file control-1.json <<<"$(control control-1)"
    ok "and may control: only the campaign is over" eventually 30 receipt control-1.2 \
        'r["state"] == "rejected" and r["errors"][0]["pointer"] == "/action"'

    write_config 3000
    cat >>"$config" <<TOML
[submitters.desk]
users = ["colleague"]
groups = ["campaignd-admin"]
bases = ["service"]
senders = ["desk@library.example"]
pending_jobs = 1
TOML
    ok "systemctl reload with a table of submitters" systemctl reload "$unit"
    ok "what the table does not permit is rejected" drop_file rights-1.json <<<"$(campaign rights-1 "Rights")"
    ok "each fault at its place" eventually 30 receipt rights-1 \
        '{e["pointer"] for e in r["errors"]} == {"/basis", "/from/address"}'
    ok "takes the rights from the group again" gpasswd --delete submitter campaignd-admin
    ok "drops it again" drop_file rights-1.json <<<"$(campaign rights-1 "Rights")"
    ok "without a reload: whom no table means may drop nothing" eventually 30 receipt rights-1.2 \
        'r["state"] == "rejected" and "may drop nothing" in r["errors"][0]["message"]'
    write_config 3000
    printf '[submitters.desk]\nusers = ["nobody-knows"]\n' >>"$config"
    ok "an unknown user is a mistake with its line" \
        grep -F "$config:10: submitters.desk.users: there is no user" \
        <(campaignd --check --config "$config" 2>&1)
    write_config 3000
    ok "systemctl reload as it was" systemctl reload "$unit"
}

control() { # ID
    cat <<JSON
{ "kind": "control", "id": "$1", "campaign": "books-1", "action": "pause", "reason": "a test" }
JSON
}

check_stop() {
    local start milliseconds
    echo 5 >"$work/delay"
    ok "a member drops a campaign as one file" drop_file slow.json <<'JSON'
{ "kind": "campaign", "id": "slow-1", "purpose": "newsletter", "basis": "consent",
  "from": { "name": "The library", "address": "news@library.example" },
  "reason": "You get this because you asked for our newsletter.",
  "subject": "Slow books", "text": "This one takes its time.\n",
  "recipients": [ { "address": "jan@reader.example" } ] }
JSON
    # One dot there was before.
    ok "the relay has all of the message and is slow to answer" eventually 60 events 2 'dot jan@reader.example'
    start=${EPOCHREALTIME/[.,]/}
    ok "systemctl stop, with a time limit of 3 s that campaignd has to extend" systemctl stop "$unit"
    milliseconds=$(((${EPOCHREALTIME/[.,]/} - start) / 1000))
    ok "stop returned only after the reply" events 2 'replied jan@reader.example'
    ok "and so took longer than that limit ($milliseconds ms)" test "$milliseconds" -gt 3000
    ok "it ended by itself" is Result success
    echo 0 >"$work/delay"
    ok "systemctl start again" systemctl start "$unit"
    ok "the receipt says sent, not uncertain" eventually 30 receipt slow \
        'r["state"] == "finished" and r["counts"]["sent"] == 1 and r["counts"]["uncertain"] == 0'
    ok "the relay got that message once" events 2 'dot jan@reader.example'
}

check_kill() {
    local pid
    pid=$(property MainPID)
    systemctl kill --signal=KILL "$unit"
    ok "a killed campaignd is started again by systemd" eventually 60 new_process "$pid"
    ok "that was a restart" eventually 30 is NRestarts 1
    ok "and answers jobs" drop_file after.json <<<'{ "kind": "none" }'
    ok "after the kill as before" eventually 30 receipt after 'r["state"] == "rejected"'
    ok "nothing was sent again" events 2 'dot .*'
    ok "campaignd feeds the watchdog" eventually 20 fed_watchdog
    ok "the last stop ends with status 0" systemctl stop "$unit"
    ok "and is no failure" is Result success
    ok "it took its metrics away" test ! -e /run/campaignd/campaignd.prom
}

# The ledger with everything beside it is put back to an older copy: only the
# journal knows of the message that left since.
check_restored() {
    local state=/var/lib/campaignd begin
    cp -a "$state" "$work/older"
    ok "systemctl start once more" systemctl start "$unit"
    ok "a member drops a campaign" drop_file third.json <<JSON
$(campaign third-1 "Third books")
JSON
    ok "it is sent" eventually 60 receipt third 'r["state"] == "finished" and r["counts"]["sent"] == 1'
    systemctl stop "$unit"
    find "$state" -mindepth 1 -delete
    cp -a "$work/older/." "$state/"
    begin=$(now)
    ok "it starts on the older ledger" systemctl start "$unit"
    ok "the journal tells of the restored ledger" eventually 30 logged_since "$begin" "restored from an older copy"
    ok "a member drops another campaign" drop_file fourth.json <<JSON
$(campaign fourth-1 "Fourth books")
JSON
    ok "it is held, with the reason" eventually 30 receipt fourth 'r["state"] == "held" and r["pausedBecause"]'
    ok "nothing was sent since" events 3 'dot .*'
    ok "stop after that" systemctl stop "$unit"
}

campaign() { # ID SUBJECT
    cat <<JSON
{ "kind": "campaign", "id": "$1", "purpose": "newsletter", "basis": "consent",
  "from": { "name": "The library", "address": "news@library.example" },
  "reason": "You get this because you asked for our newsletter.",
  "subject": "$2", "text": "There are new books.\n", "recipients": [ { "address": "jan@reader.example" } ] }
JSON
}

main() {
    [[ $# -eq 2 ]] || quit "usage: with-systemd under-systemd.sh CAMPAIGND REPOSITORY"
    program=$1 repository=$2
    [[ $(cat /proc/1/comm) == systemd && $EUID -eq 0 ]] || quit "run this inside with-systemd"
    [[ -x $program ]] || quit "there is no program $program"
    [[ -x ${program%/*}/campaignctl ]] || quit "there is no program campaignctl beside $program"
    work=$(mktemp -d /run/under-systemd.XXXXXX) || quit "no temporary directory"
    chmod 0755 "$work" # the service reads in it; its own /tmp is another
    start_relay
    trap 'kill "$relay"; rm -rf "$work"' EXIT

    install_all || quit "the installation failed"
    useradd --groups campaignd-submit submitter || quit "no user submitter"
    useradd --groups campaignd-submit colleague || quit "no user colleague"
    useradd outsider || quit "no user outsider"
    # Shorter than shipped, so that it shows whether campaignd keeps up with them.
    mkdir -p "/etc/systemd/system/$unit.d"
    printf '[Service]\nWatchdogSec=10\nTimeoutStopSec=3\n' >"/etc/systemd/system/$unit.d/test.conf"
    systemctl daemon-reload

    check_installation
    write_config 3000
    check_broken_configuration
    check_start
    check_operator
    check_jobs
    check_reload
    check_rights
    check_stop
    check_kill
    check_restored

    if ((failures > 0)); then
        echo "$failures checks failed; the end of the journal:"
        logged --lines=40
        exit 1
    fi
}

main "$@"
