#!/usr/bin/env bash
# Gives a branch a platform of its own on GKE, or removes it: a namespace, two databases on Cloud SQL, a dataset in BigQuery.
# Databases instead of schemas of one database, because the names of the schemas, public and analytics, are promised, and a database
# is removed with everything in it. Branches share the lake's bucket, because an object is the verified file of a month, whoever
# loads it. Raw files are gone with the pod of their run.
#   deploy/branch.sh up|down|names BRANCH
# `up` and `down` need gcloud, bq, kubectl, helm and an account with roles/cloudsql.editor, roles/container.admin,
# roles/bigquery.admin on the project and roles/iam.serviceAccountAdmin on GCP_SERVICE_ACCOUNT, the account of the runs, which
# has the roles `run` of docs/cloud.md on the bucket and the project; that on the dataset it gets here.
set -euo pipefail
cd "$(dirname "$0")"
if [ $# -ne 2 ]; then
  echo "usage: $0 up|down|names BRANCH" >&2
  exit 2
fi

# Short enough for every name below, and different for branches that differ in case or punctuation only.
slug=$(printf %s "$2" | tr '[:upper:]' '[:lower:]' | tr -c 'a-z0-9' '_' | cut -c 1-30)_$(printf %s "$2" | sha256sum | cut -c 1-6)
namespace=branch-$(printf %s "$slug" | tr -s _ - | sed 's/^-//')
trips=ny_taxi_$slug
state=dagster_$slug
dataset=branch_$slug

sql() { gcloud sql databases "$@" --project="${GCP_PROJECT_ID:?}" --instance="${CLOUD_SQL_INSTANCE:?}" --quiet; }
identity() {
  gcloud iam service-accounts "$1" "${GCP_SERVICE_ACCOUNT:?}" --project="${GCP_PROJECT_ID:?}" --role=roles/iam.workloadIdentityUser \
    --member="serviceAccount:$GCP_PROJECT_ID.svc.id.goog[$namespace/taxi-platform]" >/dev/null
}
url() { printf 'postgresql://%s:%s@%s:5432/%s' "$1" "$2" "${POSTGRES_HOST:?}" "$3"; }
secret() { kubectl create secret generic "$1" --namespace="$namespace" --from-env-file=/dev/stdin --dry-run=client --output=yaml | kubectl apply --filename=-; }

case $1 in
  names) printf '%s\n' "$namespace" "$trips" "$state" "$dataset" ;;
  up)
    for database in "$trips" "$state"; do
      sql describe "$database" >/dev/null 2>&1 || sql create "$database"
    done
    bq --project_id="$GCP_PROJECT_ID" --location="${GCP_LOCATION:?}" mk --force --label=app:taxi_platform --dataset "$GCP_PROJECT_ID:$dataset"
    bq --project_id="$GCP_PROJECT_ID" --location="$GCP_LOCATION" query --use_legacy_sql=false \
      "GRANT \`roles/bigquery.dataEditor\` ON SCHEMA \`$GCP_PROJECT_ID.$dataset\` TO 'serviceAccount:${GCP_SERVICE_ACCOUNT:?}'"
    kubectl create namespace "$namespace" --dry-run=client --output=yaml | kubectl apply --filename=-
    kubectl apply --namespace="$namespace" --filename=helm/policies.yaml
    identity add-iam-policy-binding
    echo "postgresql-password=${DAGSTER_DB_PASSWORD:?}" | secret taxi-platform-state
    secret taxi-platform <<SETTINGS
TAXI_POSTGRES_URL=$(url taxi "${TAXI_DB_PASSWORD:?}" "$trips")
TAXI_DAGSTER_POSTGRES_URL=$(url dagster "$DAGSTER_DB_PASSWORD" "$state")
GCP_PROJECT_ID=$GCP_PROJECT_ID
GCP_LOCATION=$GCP_LOCATION
GCP_BUCKET_NAME=${GCP_BUCKET_NAME:?}
GCP_DATASET=$dataset
SETTINGS
    helm upgrade --install dagster dagster/dagster --version 1.13.27 --namespace "$namespace" --wait --timeout 15m \
      --values helm/values.yaml \
      --set-string "postgresql.postgresqlHost=$POSTGRES_HOST,postgresql.postgresqlDatabase=$state" \
      --set-string "dagster-user-deployments.deployments[0].image.repository=${IMAGE:?}" \
      --set-string "dagster-user-deployments.deployments[0].image.tag=${IMAGE_TAG:?}" \
      --set-json 'dagster-user-deployments.deployments[0].volumes[0]={"name": "data", "emptyDir": {}}' \
      --set-string "dagster-user-deployments.serviceAccount.name=taxi-platform" \
      --set-string "dagster-user-deployments.serviceAccount.annotations.iam\.gke\.io/gcp-service-account=$GCP_SERVICE_ACCOUNT"
    echo "kubectl port-forward --namespace=$namespace deploy/dagster-dagster-webserver 3000:80"
    ;;
  down)
    helm uninstall dagster --namespace "$namespace" --ignore-not-found --wait
    kubectl delete namespace "$namespace" --ignore-not-found
    identity remove-iam-policy-binding || true # was never bound
    for database in "$trips" "$state"; do
      if sql describe "$database" >/dev/null 2>&1; then sql delete "$database"; fi
    done
    bq --project_id="$GCP_PROJECT_ID" rm --recursive --force --dataset "$GCP_PROJECT_ID:$dataset"
    ;;
  *)
    echo "usage: $0 up|down|names BRANCH" >&2
    exit 2
    ;;
esac
