"""The sensor that evaluates automation conditions."""

import dagster as dg


@dg.definitions
def automation() -> dg.Definitions:
    """One sensor for every asset that has a condition, in place of Dagster's own, which is off until it is switched on.

    Ours is on from the start: the conditions answer only to what somebody has just brought, so that nothing is ever
    loaded which nobody has asked for.
    """
    return dg.Definitions(
        sensors=[
            dg.AutomationConditionSensorDefinition(
                "follow_upstream_sensor",
                target=dg.AssetSelection.all(),
                default_status=dg.DefaultSensorStatus.RUNNING,
                minimum_interval_seconds=30,
                description="Loads tables whose files were brought without them, by the conditions of the assets.",
            )
        ]
    )
