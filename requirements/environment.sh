# shellcheck shell=bash
# Makes virtual environments from lock files; sourced by `wrapper` and `tests/run`. Works with bash 3.2 (macOS) too.
#
#   find_environment LOCK      sets `python` to the interpreter that has exactly the packages of the lock file
#
# The environment is made on first use, in the user's cache directory, under a name that holds the lock file's hash and
# Python's version, so a changed lock file gets a new one. A virtual environment cannot be moved: it is made in its
# final place, by one process at a time, and counts only once `.complete` lies in it.

python_candidates=(python3.13 python3.12 python3.11 python3)
unused_days=60

find_environment() {
    local lock=$1 hash cache
    case ${XDG_CACHE_HOME-} in
        /*) cache=$XDG_CACHE_HOME/deployer ;;
        *) case $OSTYPE in darwin*) cache=~/Library/Caches/deployer ;; *) cache=~/.cache/deployer ;; esac ;;
    esac
    environments=$cache/venv
    hash=$(sha256sum "$lock" 2>/dev/null || shasum -a 256 "$lock") || fail 2 "$lock cannot be read"
    hash=${hash:0:20}
    complete_environment "$hash" || make_environment "$lock" "$hash"
}

# Sets `python`, or fails. An environment whose own Python has gone (a system upgrade) does not count.
complete_environment() {
    for python in "$environments/$1-"*/bin/python; do
        if [[ -x $python && -e ${python%/bin/python}/.complete ]]; then
            { : >"${python%/bin/python}/.complete"; } 2>/dev/null || true # when it was last used
            return 0
        fi
    done
    return 1
}

make_environment() {
    local lock=$1 hash=$2 base version directory log
    choose_python
    mkdir -p "$environments" 2>/dev/null || fail 2 "the cache directory $environments cannot be made" \
        "XDG_CACHE_HOME names another place for it."
    { exec 9>"$environments/.lock"; } 2>/dev/null || fail 2 "the cache directory $environments cannot be written" \
        "XDG_CACHE_HOME names another place for it."
    if ! hold_lock 'LOCK_EX | fcntl.LOCK_NB' 2>/dev/null; then
        say "Another process is preparing the tool; waiting for it."
        hold_lock LOCK_EX || fail 1 "the lock $environments/.lock cannot be held"
    fi
    if ! complete_environment "$hash"; then # else it was made while we waited
        directory=$environments/$hash-$version
        log=$directory.log
        say "Preparing the tool (once; about a minute) in $directory"
        remove_unused
        rm -rf "$directory"
        "$base" -m venv "$directory" >"$log" 2>&1 </dev/null || fail_with_log 2 "no virtual environment can be made" \
            "On Debian and Ubuntu the package python3-venv is needed; look for space on the disk, too."
        # PIP_USER and PIP_TARGET would put the packages elsewhere; all else of the user's pip configuration holds.
        PIP_USER=0 PIP_TARGET='' "$directory/bin/python" -m pip install --require-hashes --no-deps --no-input \
            --disable-pip-version-check --requirement "$lock" 2>&1 </dev/null | show_progress "$log" || pip_failed
        : >"$directory/.complete"
        rm -f "$log"
        say "Ready."
        complete_environment "$hash"
    fi
    exec 9>&-
}

# Sets `base` and `version`: the newest supported Python with all that a virtual environment takes.
choose_python() {
    local candidate answer seen='' without=''
    for candidate in "${python_candidates[@]}"; do
        # A version manager's stand-in may exist for a Python that it does not have: what counts is that it runs.
        answer=$("$candidate" -c 'if True:
            import sys
            print("%d.%d %s" % (sys.version_info[0], sys.version_info[1], sys.executable))
            import ensurepip, venv
            print("complete")' 2>/dev/null) || [[ -n $answer ]] || continue
        version=${answer%% *}
        case $version in
            3.[0-9] | 3.10 | 2.*) seen="$seen $candidate is $version;" && continue ;;
        esac
        if [[ $answer != *complete ]]; then
            without="$without $candidate ($version)" && continue
        fi
        base=${answer#* }
        base=${base%%$'\n'*}
        return 0
    done
    if [[ -n $without ]]; then
        fail 2 "this machine's Python cannot make virtual environments:$without" \
            "On Debian and Ubuntu, as root: apt-get install python3-venv"
    elif [[ -n $seen ]]; then
        fail 2 "Python 3.11 or later is needed, and this machine has only older ones:${seen%;}" \
            "Install one from your system's packages or https://www.python.org/downloads/"
    fi
    fail 2 "python3 was not found; Python 3.11 or later is needed" \
        "On Debian and Ubuntu, as root: apt-get install python3 python3-venv"
}

# The lock belongs to our open file 9, and so outlives the Python that takes it. Not every system has flock(1).
hold_lock() {
    "$base" -c "import fcntl; fcntl.flock(9, fcntl.$1)"
}

# Environments of lock files that nobody has had for a long time.
remove_unused() {
    local marker
    find "$environments" -path "$environments/*-3.*/.complete" -mtime +"$unused_days" 2>/dev/null |
        while read -r marker; do rm -rf "${marker%/.complete}"; done
}

# Copies what it reads to a log file; on a terminal the current line is shown as well.
show_progress() {
    local line
    while IFS= read -r line; do
        printf '%s\n' "$line" >&3
        if [[ -t 2 ]]; then printf '\r\033[K  %.70s' "$line" >&2; fi
    done 3>>"$1"
    if [[ -t 2 ]]; then printf '\r\033[K' >&2; fi
}

pip_failed() {
    if grep -q 'DO NOT MATCH THE HASHES' "$log"; then
        fail_with_log 2 "a package is not what the lock file says" \
            "Do not install it by hand: find out what the package index delivers, and why."
    elif grep -qi 'no space left' "$log"; then
        fail_with_log 2 "the disk is full" "About 400 MB are needed; XDG_CACHE_HOME names another place."
    fi
    fail_with_log 5 "the packages of the tool could not be fetched" \
        "Can this machine reach its package index? pip's own configuration (\`pip config list\`) is used: index, proxy," \
        "certificates. Nothing needs undoing: the next start tries again."
}

fail_with_log() {
    tail -n 15 "$log" | sed 's/^/  | /' >&2
    say "The whole log: $log"
    fail "$@"
}

fail() {
    local status=$1
    say "Error: $2."
    shift 2
    if (($#)); then say "$*"; fi
    exit "$status"
}

say() {
    printf '%s\n' "$*" >&2
}
