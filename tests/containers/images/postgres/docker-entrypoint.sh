#!/bin/sh
# What docker-compose.yaml relies on of the official image's entrypoint, without a user of root.
set -eu
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
  : "${POSTGRES_PASSWORD:?is not set}"
  mkdir -p "$PGDATA"
  chmod 700 "$PGDATA"
  secret=$(mktemp)
  printf '%s\n' "$POSTGRES_PASSWORD" > "$secret"
  # The words of the variable are options.
  eval "initdb --username=postgres --pwfile=$secret ${POSTGRES_INITDB_ARGS:-}" "$PGDATA"
  rm "$secret"
  printf '\nhost all all all scram-sha-256\n' >> "$PGDATA/pg_hba.conf"
  printf "listen_addresses = '*'\nunix_socket_directories = '/var/run/postgresql,/tmp'\n" \
    >> "$PGDATA/postgresql.conf"
fi
exec "$@"
