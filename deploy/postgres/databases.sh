#!/bin/sh
# Creates the trips' database and Dagster's, each owned by an account that cannot connect to the other. PostgreSQL's
# image runs this once, when its data volume is still empty.
set -eu
: "${TAXI_DB_PASSWORD:?}" "${DAGSTER_DB_PASSWORD:?}"

psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  --set taxi_password="$TAXI_DB_PASSWORD" --set dagster_password="$DAGSTER_DB_PASSWORD" <<'SQL'
-- It may create roles, because `taxi ask` has a role of its own that may only read.
create role taxi login createrole password :'taxi_password';
-- A month waits with its swap until no older snapshot can see an empty one, and other roles' snapshots are visible to
-- roles with this right only.
grant pg_read_all_stats to taxi;
create database ny_taxi owner taxi;
revoke connect, temporary on database ny_taxi from public;

create role dagster login password :'dagster_password';
create database dagster owner dagster;
revoke connect, temporary on database dagster from public;
SQL
