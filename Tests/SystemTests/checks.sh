# checks.sh - what the checks under a private systemd have in common; to be sourced
#
# Each check prints a line that begins with ok or FAIL; failures counts the latter.

# shellcheck shell=bash disable=SC2034 # failures is for the script that sources this
failures=0

# ok DESCRIPTION COMMAND [ARGUMENT...]
ok() {
    local what=$1 output start=${EPOCHREALTIME/[.,]/}
    shift
    if output=$("$@" 2>&1); then
        printf 'ok   %6d ms  %s\n' $(((${EPOCHREALTIME/[.,]/} - start) / 1000)) "$what"
    else
        printf 'FAIL %6d ms  %s\n' $(((${EPOCHREALTIME/[.,]/} - start) / 1000)) "$what"
        printf '    | %s\n' "${output//$'\n'/$'\n    | '}"
        failures=$((failures + 1))
    fi
}

# fails COMMAND...: the command must not succeed.
fails() {
    if "$@"; then
        echo "succeeded, and must not: $*"
        return 1
    fi
}

# eventually SECONDS COMMAND...: the command succeeds before that time is over.
eventually() {
    local deadline=$((SECONDS + $1)) output
    shift
    until output=$("$@" 2>&1); do
        if ((SECONDS >= deadline)); then
            echo "$output"
            return 1
        fi
        sleep 0.1
    done
}

equal() {
    [[ $1 == "$2" ]] && return
    echo "'$1' is not '$2'"
    return 1
}
