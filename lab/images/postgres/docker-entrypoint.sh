#!/bin/bash
# The official image's contract: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB and POSTGRES_INITDB_ARGS (each also as
# NAME_FILE), POSTGRES_INITDB_WALDIR, POSTGRES_HOST_AUTH_METHOD, PGDATA, /docker-entrypoint-initdb.d, options as words.
# The lab's own: LAB_SLOW_FSYNC=1 preloads the shim that slows or fails fsync.
set -Eeuo pipefail

initdb_folder=/docker-entrypoint-initdb.d

# from_file NAME [DEFAULT]: export NAME from itself, from the file that NAME_FILE names, or as DEFAULT.
from_file() {
    local name=$1 file_name=$1_FILE value=${2:-}
    if [[ -n ${!name:-} && -n ${!file_name:-} ]]; then
        echo "error: both $name and $file_name are set (but are exclusive)" >&2
        exit 1
    fi
    if [[ -n ${!name:-} ]]; then
        value=${!name}
    elif [[ -n ${!file_name:-} ]]; then
        value=$(<"${!file_name}")
    fi
    export "$name=$value"
    unset "$file_name"
}

# As root: hand the folders to postgres, then start over as that user.
drop_root() {
    mkdir -p "$PGDATA"
    chmod 00700 "$PGDATA" || true
    find "$PGDATA" /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$BASH_SOURCE" "$@"
}

only_asks() {
    local word
    for word in "$@"; do
        case $word in -'?' | --help | --describe-config | -V | --version | -C) return 0 ;; esac
    done
    return 1
}

require_password() {
    if [[ -z $POSTGRES_PASSWORD && ${POSTGRES_HOST_AUTH_METHOD:-} != trust ]]; then
        cat >&2 <<-'TEXT'
	Error: Database is uninitialized and superuser password is not specified.
	       You must specify POSTGRES_PASSWORD to a non-empty value for the
	       superuser, or POSTGRES_HOST_AUTH_METHOD=trust to allow all connections.
	TEXT
        exit 1
    fi
}

initialise() {
    mkdir -p "$PGDATA"
    chmod 00700 "$PGDATA" || true
    if [[ -n ${POSTGRES_INITDB_WALDIR:-} ]]; then
        set -- --waldir "$POSTGRES_INITDB_WALDIR" "$@"
    fi
    eval 'initdb --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") '"$POSTGRES_INITDB_ARGS"' "$@"'
}

allow_hosts() {
    local method=${POSTGRES_HOST_AUTH_METHOD:-}
    method=${method:-$(postgres -C password_encryption "$@")}
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

ask() {
    PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc "$@"
}

create_database() {
    local found
    found=$(ask --dbname postgres --tuples-only --set db="$POSTGRES_DB" <<<"SELECT 1 FROM pg_database WHERE datname = :'db';")
    if [[ -z $found ]]; then
        ask --dbname postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
    fi
}

run_init_files() {
    local file
    for file in "$initdb_folder"/*; do
        case $file in
        *.sh) if [[ -x $file ]]; then echo "$0: running $file"; "$file"; else echo "$0: sourcing $file"; . "$file"; fi ;;
        *.sql) echo "$0: running $file"; ask --dbname "$POSTGRES_DB" -f "$file" ;;
        *.sql.gz) echo "$0: running $file"; gunzip -c "$file" | ask --dbname "$POSTGRES_DB" ;;
        *.sql.xz) echo "$0: running $file"; xzcat "$file" | ask --dbname "$POSTGRES_DB" ;;
        */'*') ;;
        *) echo "$0: ignoring $file" ;;
        esac
    done
}

# First start: a server without TCP makes the database and runs the init files.
first_start() {
    require_password
    ls "$initdb_folder" >/dev/null
    initialise
    allow_hosts "$@"
    export PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD}
    PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -w start \
        -o "$(printf '%q ' "$@" -c listen_addresses= -p "${PGPORT:-5432}")"
    create_database
    run_init_files
    PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -m fast -w stop
    unset PGPASSWORD
    printf '\nPostgreSQL init process complete; ready for start up.\n\n'
}

main() {
    if [[ ${1:0:1} == - ]]; then set -- postgres "$@"; fi
    if [[ -n ${LAB_SLOW_FSYNC:-} ]]; then export LD_PRELOAD=/usr/local/lib/slowfsync.so; fi
    if [[ $1 == postgres ]] && ! only_asks "$@"; then
        if [[ $(id -u) == 0 ]]; then drop_root "$@"; fi
        from_file POSTGRES_PASSWORD
        from_file POSTGRES_USER postgres
        from_file POSTGRES_DB "$POSTGRES_USER"
        from_file POSTGRES_INITDB_ARGS
        if [[ -s $PGDATA/PG_VERSION ]]; then
            printf '\nPostgreSQL Database directory appears to contain a database; Skipping initialization\n\n'
        else
            first_start "${@:2}"
        fi
    fi
    exec "$@"
}

main "$@"
