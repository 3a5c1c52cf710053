#!/bin/bash
#
# in-bare-root.sh - check the Debian package as administrators and users meet it
#
# Usage: with-systemd --root ROOT /srv/in-bare-root.sh
#
# ROOT is what make-root made. Installs the package, has a mailing done as an
# unprivileged user, upgrades the package while another one is under way, and
# removes, purges and installs it again.
#
# Prints a line for each check, beginning with ok or FAIL. Exit status: 0 if all
# were ok, 1 if not, 2 if the checks could not be run.

# shellcheck disable=SC2016 # scripts for other users
set -u

here=${BASH_SOURCE[0]%/*}
spool=/var/spool/campaignd
ledger=/var/lib/campaignd/ledger.sqlite
config=/etc/campaignd/campaignd.toml
readers=15
# shellcheck source=SCRIPTDIR/../checks.sh
source "$here/checks.sh"

quit() {
    echo "in-bare-root.sh: $*" >&2
    exit 2
}

# packages COMMAND...: apt-get, that asks nobody and keeps what was edited. There is no network: what is to be
# installed has been downloaded.
packages() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" </dev/null
}

property() { systemctl show --value --property="$1" campaignd; }

is_active() { equal "$(property ActiveState)" active; }

# as USER SCRIPT [ARGUMENT...]: run a script of bash as that user, umask 077.
as() {
    local user=$1 script=$2
    shift 2
    runuser --user "$user" -- bash -c "umask 077; cd $spool || exit; $script" bash "$@"
}

# drop NAME [FILE]: as a program would, with the job on standard input; a bundle if there is a FILE, whose content the
# third argument is. sync(1) with a name is fsync(2).
drop() {
    if [[ $# -eq 1 ]]; then
        as submitter 'cat >"tmp/$1.json" && sync "tmp/$1.json" && mv -T -n "tmp/$1.json" "incoming/$1.json"' "$1"
    else
        as submitter 'mkdir "tmp/$1.job" && cat >"tmp/$1.job/job.json" && printf %s "$3" >"tmp/$1.job/$2" &&
            sync "tmp/$1.job"/* "tmp/$1.job" && mv -T -n "tmp/$1.job" "incoming/$1.job"' "$@"
    fi
}

# receipt NAME PATTERN...: the receipt, as the submitter reads it and without blanks, has each of these.
receipt() {
    local name=$1 text pattern
    shift
    text=$(as submitter "cat receipts/$name/receipt.json" | tr -d ' \n') || return
    for pattern; do
        [[ $text == *"$pattern"* ]] || { echo "no $pattern in $text"; return 1; }
    done
}

campaign() { # ID RECIPIENTS
    cat <<JSON
{ "kind": "campaign", "id": "$1", "purpose": "newsletter", "basis": "consent",
  "from": { "name": "The library", "address": "news@library.example" },
  "reason": "You get this because you asked for our newsletter.",
  "subject": "New books: $1", "text": "There are new books.\n", "recipients": [ $2 ] }
JSON
}

# noted COUNT WORDS: the relay has noted that many lines that begin with WORDS.
noted() { equal "$(grep -c "^$2\\b" "$work/events")" "$1"; }

# owes: the relay has read a dot that it has not answered.
owes() { (($(grep -c "^dot " "$work/events") == $(grep -c "^replied " "$work/events") + 1)); }

# needs_no_swift PROGRAM...: each can be linked, and not with a library of Swift.
needs_no_swift() {
    local program libraries
    for program; do
        libraries=$(ldd "$program") || return
        [[ $libraries == *libc.so* && $libraries != *"not found"* && $libraries != *swift* ]] ||
            { echo "$program: $libraries"; return 1; }
    done
}

# ---------------------------------------------------------------------- checks

check_installation() {
    local version
    ok "it is not there yet" fails test -e /usr/bin/campaignd
    ok "apt installs it with all that it depends on" packages install "$here/older.deb"
    ok "dpkg has nothing to complain about" equal "$(dpkg --audit; dpkg --verify campaignd)" ""
    version=$(dpkg-query --show --showformat='${Version}' campaignd)
    ok "campaignd runs, and has the version of the package" equal "$(campaignd --version 2>&1)" "campaignd $version"
    ok "so does campaignctl" equal "$(campaignctl --version 2>&1)" "campaignctl $version"
    ok "there is no Swift, and none is needed" needs_no_swift /usr/bin/campaignd /usr/bin/campaignctl
    for file in man/man8/campaignd.8.gz man/man1/campaignctl.1.gz man/man5/campaignd.toml.5.gz \
        man/man5/campaignd-job.5.gz bash-completion/completions/campaignctl zsh/vendor-completions/_campaignctl \
        fish/vendor_completions.d/campaignctl.fish campaignd/presets/wise.json campaignd/schema/campaign.schema.json \
        doc/campaignd/copyright; do
        ok "there is $file" test -s "/usr/share/$file"
    done
    ok "journalctl knows every entry of the shipped catalog" equal \
        "$(journalctl --list-catalog 2>/dev/null | grep -c ' campaignd: ')" \
        "$(cat /usr/lib/systemd/catalog/campaignd*.catalog 2>/dev/null | grep -c '^-- ')"
    ok "the service is enabled" systemctl is-enabled campaignd
    ok "and was not started" equal "$(property ActiveState)" inactive
    ok "the shipped configuration is valid" campaignd --check
    ok "systemd-analyze verify has nothing to say" \
        equal "$(systemd-analyze verify --man=no /lib/systemd/system/campaignd.service 2>&1)" ""
}

check_mailing() {
    local list=$'email,name,newsletter\n' number
    useradd --groups campaignd-submit submitter || quit "no user submitter"
    useradd outsider || quit "no user outsider"
    for ((number = 1; number <= readers; number++)); do
        list+="reader$number@reader.example,Reader,yes"$'\n'
    done
    ok "systemctl start campaignd" systemctl start campaignd
    ok "it is active" is_active
    ok "an unprivileged member of campaignd-submit drops contacts" drop readers readers.csv "$list" <<'JSON'
{ "kind": "contacts", "id": "readers-1",
  "lists": [ { "list": "readers.csv", "group": "readers" } ],
  "consent": { "purpose": "newsletter", "column": "newsletter", "accepted": ["yes"], "refused": ["no"],
               "source": "form at the desk", "text": "I want to get the newsletter",
               "at": "2026-01-02T10:00:00Z" } }
JSON
    ok "and reads the receipt: finished" eventually 30 receipt readers '"state":"finished"'
    campaign first-1 '{ "address": "reader1@reader.example" }' >"$work/first.json"
    ok "the member drops a campaign" drop first <"$work/first.json"
    ok "and reads the receipt: one sent" eventually 60 receipt first '"state":"finished"' '"sent":1,'
    ok "with the shipped configuration it is in the Maildir" \
        equal "$(find $spool/outbox/new -type f | wc -l)" 1
    ok "systemctl reload has all that it needs" systemctl reload campaignd
    ok "and leaves it active" eventually 10 is_active
    ok "somebody else cannot read the receipt" fails as outsider 'cat receipts/first/receipt.json'
    ok "nor list it" fails as outsider 'ls receipts/first || ls receipts'
    ok "nor drop anything" fails as outsider 'echo "{}" >tmp/job.json || echo "{}" >incoming/job.json'
}

check_upgrade() {
    local process version owed
    sed -i "s|^url = .*|url = \"smtp://127.0.0.1:$(<"$work/port")\"|" "$config"
    cp "$config" "$work/edited"
    ok "a relay is named in the configuration" systemctl restart campaignd
    ok "a campaign for $readers readers is dropped" drop news \
        <<<"$(campaign news-1 '{ "group": "readers" }')"
    ok "some have it" eventually 60 noted 4 replied
    echo 15 >"$work/delay"
    ok "the relay has read a message, and takes 15 s to answer" eventually 30 owes
    echo 0.3 >"$work/delay"
    owed=$(sed -n '$s/^dot //p' "$work/events")
    process=$(property MainPID)
    version=$(dpkg-query --show --showformat='${Version}' campaignd)
    ok "apt upgrades it meanwhile" packages install "$here/newer.deb"
    ok "the version is the newer one" \
        equal "$(dpkg-query --show --showformat='${Version}' campaignd)" "$version+newer"
    ok "it is active" is_active
    ok "with another process" fails equal "$(property MainPID)" "$process"
    ok "it waited for the answer that the relay owed" noted 1 "replied $owed"
    ok "the edited configuration is as it was" cmp "$config" "$work/edited"
    ok "the shipped one is beside it" grep -q "One comment more" "$config.dpkg-dist"
    ok "the campaign is finished, all were sent, nothing is in doubt" eventually 90 receipt news \
        '"state":"finished"' "\"sent\":$readers," '"uncertain":0'
    ok "the relay read $readers messages" noted "$readers" dot
    ok "each for somebody else" equal "$(grep "^dot " "$work/events" | sort -u | wc -l)" "$readers"
    ok "and lost none" noted 0 lost
}

# check_known TIMES: what was sent first is still known, so the same job is not carried out again.
check_known() {
    ok "the first job is dropped again" drop first <"$work/first.json"
    ok "and known: repeated $1 times" eventually 30 receipt first '"state":"finished"' "\"repeats\":$1"
    ok "nobody got it again" noted "$readers" dot
}

purged() { packages purge campaignd >"$work/purge" 2>&1 || { cat "$work/purge"; return 1; }; }

check_removal() {
    ok "apt removes it" packages remove campaignd
    ok "it does not run any more" fails is_active
    ok "the configuration is still there" cmp "$config" "$work/edited"
    ok "apt purges it" purged
    ok "and says what it keeps" grep "The record of consent .* is kept" "$work/purge"
    ok "that leaves no package behind" fails dpkg-query --show campaignd
    ok "nor the configuration" fails test -e "$config"
    ok "it keeps the ledger, its key and its counter" test -s "$ledger" -a -s "$ledger.key" -a -s "$ledger.intents"
    ok "and the receipts" receipt news '"state":"finished"'
    ok "and the messages" equal "$(find $spool/outbox/new -type f | wc -l)" 1
    ok "and who owns all that" equal "$(stat -c '%U %G' $ledger $spool/receipts)" \
        $'campaignd campaignd\ncampaignd campaignd-submit'
    ok "apt installs it again" packages install "$here/newer.deb"
    ok "and does not start it: nobody has named a relay" equal "$(property ActiveState)" inactive
    ok "systemctl start" systemctl start campaignd
}

main() {
    [[ $(cat /proc/1/comm) == systemd && $EUID -eq 0 ]] || quit "run this inside with-systemd"
    work=$(mktemp -d /run/in-bare-root.XXXXXX) || quit "no temporary directory"
    : >"$work/events"
    echo 0.3 >"$work/delay"
    perl "$here/relay.pl" "$work" &
    relay=$!
    trap 'kill "$relay"; rm -rf "$work"' EXIT
    eventually 10 test -s "$work/port" || quit "the relay of the test did not start"

    check_installation
    check_mailing
    check_upgrade
    check_known 1
    check_removal
    check_known 2

    if ((failures > 0)); then
        echo "$failures checks failed; the end of the journal:"
        journalctl --sync
        journalctl --quiet --no-pager --lines=60 --identifier=campaignd --identifier=systemd
        exit 1
    fi
}

main "$@"
