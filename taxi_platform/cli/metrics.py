"""``taxi metrics``: what ``taxi status`` knows of every month, as numbers for Prometheus, read when it asks."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from itertools import takewhile
from threading import Thread
from typing import TYPE_CHECKING, get_args

import click
import dagster as dg
from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import GaugeMetricFamily

from taxi_platform.checks.services import due
from taxi_platform.errors import InvalidRequest
from taxi_platform.ledger.events import bytes_billed, daemon_is_alive, unfinished_runs
from taxi_platform.ledger.reading import read_months
from taxi_platform.ledger.record import MonthRecord, State
from taxi_platform.settings import settings
from taxi_platform.trips.keys import Destination, warehouse_key
from taxi_platform.trips.months import Month
from taxi_platform.trips.partitions import month_range
from taxi_platform.trips.services import SERVICES, Service

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

Months = Mapping[Month, MonthRecord]


def run_metrics(listen: str | None) -> None:
    """Print the metrics once, or serve them at ``HOST:PORT`` until the process is ended."""
    registry = CollectorRegistry()
    with dg.DagsterInstance.get() as instance:
        registry.register(Metrics(instance))
        if listen is None:
            click.echo(generate_latest(registry), nl=False)
            return
        server, thread = serve(registry, listen)
        click.echo(f"http://{server.server_name}:{server.server_port}/metrics", err=True)
        thread.join()


def serve(registry: CollectorRegistry, address: str) -> "tuple[WSGIServer, Thread]":
    """Serve the metrics in a thread of their own; an address that cannot be listened at is an ``InvalidRequest``."""
    host, _, port = address.rpartition(":")
    try:
        if not host:
            raise ValueError("it has no host")
        return start_http_server(int(port), host, registry)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidRequest(repr(address), str(error), "Write HOST:PORT, for example 127.0.0.1:9464.") from None


class Metrics:
    """A collector of prometheus_client, which reads the ledger and Dagster's records each time that it is asked."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield every metric with its values."""
        of_a_table, services = ("service", "database"), list(SERVICES.values())
        destinations: Sequence[Destination] = ("postgres", "bigquery") if settings().has_cloud else ("postgres",)
        tables = {
            (service, destination): months
            for destination in destinations
            for service, months in read_months(self._instance, services, destination=destination).shown().items()
        }
        states = {
            (*table, state): sum(record.state == state for record in months.values())
            for table, months in tables.items()
            for state in get_args(State)
        }
        yield _gauge("taxi_months", "Months of each state.", (*of_a_table, "state"), states)
        text = "Months after the newest loaded one that should have been published and loaded by now."
        late = {table: overdue(SERVICES[table[0]], months) for table, months in tables.items()}
        yield _gauge("taxi_months_overdue", text, of_a_table, late)
        rows = {table: sum(record.rows for record in months.values()) for table, months in tables.items()}
        yield _gauge("taxi_rows", "Rows in the table.", of_a_table, rows)
        size = {table: sum(record.file_bytes for record in months.values()) for table, months in tables.items()}
        yield _gauge("taxi_file_bytes", "Size of the files that are in the table, as published.", of_a_table, size)
        loads = {table: [one.table for one in months.values() if one.table] for table, months in tables.items()}
        new = {table: [load for load in made if not load.unchanged] for table, made in loads.items()}
        text = "Seconds that the latest loads of months took together, without those that found their month unchanged."
        seconds = {table: sum(load.seconds for load in made) for table, made in new.items()}
        yield _gauge("taxi_load_seconds", text, of_a_table, seconds)
        text = "Rows of these loads."
        loaded = {table: sum(load.rows_loaded or 0 for load in made) for table, made in new.items()}
        yield _gauge("taxi_load_rows", text, of_a_table, loaded)
        text = "When a month was last loaded, or found unchanged, in seconds since 1970; 0 if never."
        last = {table: max((load.timestamp for load in made), default=0) for table, made in loads.items()}
        yield _gauge("taxi_last_success_timestamp_seconds", text, of_a_table, last)
        if settings().has_cloud:
            text = "Bytes that BigQuery billed for all recorded loads."
            keys = {service.name: warehouse_key(service.table) for service in services}
            billed = {(name,): sum(bytes_billed(self._instance, key).values()) for name, key in keys.items()}
            yield _gauge("taxi_bigquery_billed_bytes", text, ("service",), billed)
        text = "Runs of Dagster that are not finished; those that are queued are the depth of the queue."
        runs = {(status,): count for status, count in unfinished_runs(self._instance).items()}
        yield _gauge("taxi_runs", text, ("status",), runs)
        text = "Whether Dagster's daemon has written a heartbeat lately."
        yield _gauge("taxi_daemon_alive", text, (), {(): daemon_is_alive(self._instance)})


def overdue(service: Service, months: Months) -> int:
    """Return how many months after the newest loaded one are due; the check of the last month warns if any are."""
    now, zone = datetime.now(timezone.utc), settings().schedule_timezone
    last_due = due(*month_range(settings(), service), now, zone, service.overdue_days)
    until_then = [record for month, record in months.items() if last_due and month <= last_due]
    return len(list(takewhile(lambda record: record.rows == 0, reversed(until_then))))


def _gauge(name: str, text: str, labels: Sequence[str], values: Mapping[tuple[str, ...], float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for of, value in values.items():
        family.add_metric(of, value)
    return family
