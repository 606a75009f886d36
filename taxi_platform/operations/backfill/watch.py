"""How far months are: which are in place, seen as it happens, whichever run brings them, and which nobody works on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from taxi_platform.ledger import backfills as queue
from taxi_platform.ledger.records import outcomes_of, read_attempts
from taxi_platform.ledger.states import Attempt
from taxi_platform.trips.months import Month
from taxi_platform.trips.services import Service

Key = tuple[str, Month]
"""A service's name and a month."""


@dataclass(frozen=True)
class Arrival:
    """A month that is in place.

    Attributes:
        service: its name.
        month: the month.
        rows: its rows in the table.
        unchanged: whether it had been there before.
        seconds: what its load took.
        at: when it was in place, in seconds since 1970.
        run_id: the run that brought it.
        is_recorded: whether Dagster counts it as materialized, which it does when the run has ended.
    """

    service: str
    month: Month
    rows: int
    unchanged: bool
    seconds: float
    at: float
    run_id: str
    is_recorded: bool


class Watch:
    """Watches months from a moment on; made before anybody is asked to load them.

    Attributes:
        arrivals: the months that are in place, as they were last heard of.
    """

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.arrivals: dict[Key, Arrival] = {}
        self._instance = instance
        self._since = instance.event_log_storage.get_maximum_record_id() or 0
        self._wanted: dict[Key, Service] = {}
        self._tried_before: dict[Key, str | None] = {}

    def want(self, service: Service, month: Month, *, tried_before: str | None = None) -> None:
        """Wait for a month, too.

        Args:
            service: whose month.
            month: the month.
            tried_before: the run that failed to load it once, of which nothing is waited for.
        """
        self._wanted[service.name, month] = service
        self._tried_before[service.name, month] = tried_before

    @property
    def wanted(self) -> Collection[Key]:
        """The months that are waited for."""
        return self._wanted

    @property
    def pending(self) -> list[Key]:
        """The months that are not recorded yet."""
        return [key for key in self._wanted if key not in self.arrivals or not self.arrivals[key].is_recorded]

    @property
    def is_over(self) -> bool:
        """Whether all months are recorded, and the runs that brought them have come to the end of their checks."""
        if self.pending:
            return False
        runs = outcomes_of(self._instance, {arrival.run_id for arrival in self.arrivals.values()})
        return not any(run.outcome == "unfinished" for run in runs.values())

    def look(self) -> list[Arrival]:
        """The months that have come into place since the last look."""
        before = set(self.arrivals)
        for service in self._services():
            self._look_at(service)
        return [arrival for key, arrival in self.arrivals.items() if key not in before]

    def last_attempts(self) -> dict[Key, Attempt]:
        """The runs that have to do with pending months, or had; of each month the last that began in time."""
        attempts = read_attempts(self._instance, self._services())
        return {
            (name, month): attempt
            for name, month in self.pending
            if (attempt := attempts[name].get(str(month))) and attempt.run_id != self._tried_before[name, month]
        }

    def unattended(self) -> list[Key]:
        """The pending months that no unfinished run and no waiting backfill has to do with."""
        waiting = queue.waiting(self._instance, [dg.AssetKey(service.table) for service in self._services()])
        attempts = self.last_attempts()
        return [
            (name, month)
            for name, month in self.pending
            if str(month) not in waiting[dg.AssetKey(self._wanted[name, month].table)]
            and ((name, month) not in attempts or attempts[name, month].outcome != "unfinished")
        ]

    def _services(self) -> list[Service]:
        """The services with pending months."""
        return list({self._wanted[key].name: self._wanted[key] for key in self.pending}.values())

    def _look_at(self, service: Service) -> None:
        pending = [month for name, month in self.pending if name == service.name]
        unseen = [month for month in pending if (service.name, month) not in self.arrivals]
        if unseen:
            wanted = self._filter(service, unseen)
            for record in self._instance.fetch_observations(wanted, limit=len(unseen) * 10, ascending=True).records:
                seen = record.asset_observation
                if seen and seen.partition and "rows_loaded" in seen.metadata:  # checks observe months, too
                    self._arrived(service, seen.partition, _values(seen.metadata), record, recorded=False)
        wanted = self._filter(service, pending)
        for record in self._instance.fetch_materializations(wanted, limit=len(pending) * 10, ascending=True).records:
            made = record.asset_materialization
            if made and made.partition:
                self._arrived(service, made.partition, _values(made.metadata), record, recorded=True)

    def _filter(self, service: Service, months: Sequence[Month]) -> dg.AssetRecordsFilter:
        return dg.AssetRecordsFilter(
            asset_key=dg.AssetKey(service.table),
            asset_partitions=[str(month) for month in months],
            after_storage_id=self._since,
        )

    def _arrived(
        self, service: Service, partition: str, facts: Mapping[str, Any], record: dg.EventLogRecord, *, recorded: bool
    ) -> None:
        key = (service.name, Month.parse(partition))
        self.arrivals[key] = Arrival(
            service=service.name,
            month=key[1],
            rows=facts.get("rows_loaded", 0),
            unchanged=bool(facts.get("unchanged")),
            seconds=facts.get("seconds", 0.0),
            at=self.arrivals[key].at if key in self.arrivals else record.timestamp,
            run_id=record.run_id,
            is_recorded=recorded,
        )


def _values(metadata: Mapping[str, dg.MetadataValue[Any]]) -> dict[str, Any]:
    return {name: value.value for name, value in metadata.items()}
