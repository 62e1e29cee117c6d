#!/bin/sh
# Makes or updates Temporal's two databases. The password comes from SQL_PASSWORD. Safe to run again.
set -eu

tool() {
  temporal-sql-tool --plugin postgres12 --ep "$POSTGRES_SEEDS" -p "$DB_PORT" -u "$POSTGRES_USER" --db "$@"
}

for database in temporal temporal_visibility; do
  schema=${database#temporal_}
  tool "$database" create
  tool "$database" setup-schema -v 0.0
  tool "$database" update-schema -d "/etc/temporal/schema/postgresql/v12/$schema/versioned"
done
