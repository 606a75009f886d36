# Sourced by .venv/bin/activate (see the Makefile) in sh, bash or zsh: sets what Dagster's own commands need to find this
# project's definitions and one lasting instance. Variables that are set already are not changed.
_taxi_project=$(cd "$VIRTUAL_ENV/.." && pwd)
_taxi_data=${TAXI_DATA_DIR:-}
if [ -z "$_taxi_data" ] && grep -qs TAXI_DATA_DIR "$_taxi_project/.env"; then
  # By the library that the settings use, which knows quotes and comments.
  _taxi_data=$("$VIRTUAL_ENV/bin/python" -Im dotenv --file "$_taxi_project/.env" get TAXI_DATA_DIR 2>/dev/null) || true
fi
case ${_taxi_data:=.taxi} in
  /*) ;;
  "~"/*) _taxi_data=$HOME/${_taxi_data#??} ;;
  *) _taxi_data=$_taxi_project/$_taxi_data ;;
esac
# These commands read neither workspace.yaml nor pyproject.toml; they take their option --module-name from these variables.
# DAGSTER_MODULE_NAME would work for them too, but it makes other commands ignore workspace.yaml and its location's name.
for _taxi_command in ASSET_MATERIALIZE ASSET_LIST JOB_EXECUTE JOB_SCAFFOLD_CONFIG; do
  export "DAGSTER_CLI_${_taxi_command}_MODULE_NAME=taxi_platform.definitions"
done
# A backfill waits for a code location that does not load at the moment, instead of failing.
export DAGSTER_BACKFILL_RETRY_DEFINITION_CHANGED_ERROR="${DAGSTER_BACKFILL_RETRY_DEFINITION_CHANGED_ERROR:-1}"
# Also where another activation set it: in the same shell for another checkout, or before its folder was removed.
if [ -z "${DAGSTER_HOME:-}" ] || [ "$DAGSTER_HOME" = "${_TAXI_DAGSTER_HOME:-}" ]; then
  export DAGSTER_HOME="$_taxi_data/dagster" _TAXI_DAGSTER_HOME="$_taxi_data/dagster"
  mkdir -p "$DAGSTER_HOME" && ln -sfn "$_taxi_project/dagster.yaml" "$DAGSTER_HOME/dagster.yaml"
fi
unset _taxi_project _taxi_data _taxi_command
