"""``python -m taxi_platform``: the ``taxi`` command."""

from taxi_platform.cli.main import taxi

if __name__ == "__main__":
    taxi(prog_name="taxi")
