"""What keeps the platform running: what sensors and schedules decide, backfills, exports, removal of old data, doctor.

The ticks of the sensors, with their cursors, are in ``new_months``, ``landing`` and ``alerts``. The definitions that
call these functions belong in ``defs``.
"""
