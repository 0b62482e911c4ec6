#!/bin/sh
# Makes the secrets of compose.yaml in deploy/secrets, those that are missing. Needs openssl.
# The files are readable for all because each container reads them as its own user; the folder is not.
set -eu
cd "$(dirname "$0")"
umask 022
mkdir -p secrets
chmod 700 secrets
make() { # name, command
  name=$1
  shift
  [ -s "secrets/$name" ] || "$@" >"secrets/$name"
}
password() { openssl rand -hex 24; }
# What ClickHouse keeps of the password is its hash.
hashed() {
  printf '<clickhouse><users><wardwatch><password_sha256_hex>%s</password_sha256_hex></wardwatch></users></clickhouse>\n' \
    "$(tr -d '\n' <secrets/clickhouse_password | openssl dgst -sha256 -r | cut -d ' ' -f 1)"
}
make clickhouse_password password
make clickhouse_password.xml hashed
make grafana_password password
# Keys the hashes in which identifiers leave the decoder: 16 bytes, the same for all detectors, and kept.
make token.key openssl rand 16
echo "secrets are in $(pwd)/secrets; back up token.key with the data"
