"""The other ways of loading a yellow month, in SQL: the limit of one COPY, and the course's sequence. Pure."""

from taxi_platform.trips.services import YELLOW

COLUMNS = ", ".join(column.name for column in YELLOW.first_columns)
TYPED = ", ".join(f"{column.name} {column.postgres}" for column in YELLOW.first_columns)
LIMIT, STAGING, FINAL = "limit_tripdata", "course_staging", "course_tripdata"

# The fastest COPY: the table is created in the same transaction, so rows are not logged and are frozen at once.
LIMIT_SEQUENCE = (
    "begin",
    f"create table {LIMIT} ({TYPED})",
    rf"\copy {LIMIT} from pstdin (format csv, header, freeze)",
    "commit",
)

_ID = " || ".join(f"coalesce(cast({name} as text), '')" for name in YELLOW.identity)

COURSE_SEQUENCE = (
    f"create table if not exists {FINAL} (unique_row_id text, filename text, {TYPED})",
    f"create table if not exists {STAGING} (unique_row_id text, filename text, {TYPED})",
    f"truncate table {STAGING}",
    rf"\copy {STAGING} ({COLUMNS}) from pstdin (format csv, header)",
    f"update {STAGING} set unique_row_id = md5({_ID}), filename = 'yellow_tripdata.csv'",
    f"merge into {FINAL} as t using {STAGING} as s on t.unique_row_id = s.unique_row_id when not matched then "
    f"insert (unique_row_id, filename, {COLUMNS}) values (s.unique_row_id, s.filename, "
    + ", ".join(f"s.{column.name}" for column in YELLOW.first_columns)
    + ")",
)
