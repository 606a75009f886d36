#!/usr/bin/env bash
# Grants the roles that docs/cloud.md lists. Needs gcloud and bq, an account that may grant them, and the GCP_ settings.
#   deploy/google-roles.sh TASK MEMBER
#   deploy/google-roles.sh run serviceAccount:taxi-platform@my-trips-123456.iam.gserviceaccount.com
set -euo pipefail

usage() {
  echo "usage: $0 setup|run|frames|logs|landing|secret|impersonation|workload-identity MEMBER" >&2
  exit 2
}
[ $# -eq 2 ] || usage
member=$2

project() {
  gcloud projects add-iam-policy-binding "${GCP_PROJECT_ID:?}" --member="$member" --role="$1" --condition=None
}
bucket() {
  gcloud storage buckets add-iam-policy-binding "gs://$1" --member="$member" --role="$2"
}
dataset() {
  bq --project_id="${GCP_PROJECT_ID:?}" --location="${GCP_LOCATION:?}" query --use_legacy_sql=false \
    "GRANT \`$1\` ON SCHEMA \`${GCP_PROJECT_ID:?}.${GCP_DATASET:?}\` TO '$member'"
}
account() {
  gcloud iam service-accounts add-iam-policy-binding "${GCP_SERVICE_ACCOUNT:?its e-mail address}" \
    --project="${GCP_PROJECT_ID:?}" --member="$member" --role="$1"
}

case $1 in
  setup)
    project roles/storage.admin
    project roles/bigquery.user
    ;;
  run)
    bucket "${GCP_BUCKET_NAME:?}" roles/storage.objectUser
    bucket "${GCP_BUCKET_NAME:?}" roles/storage.legacyBucketReader
    dataset roles/bigquery.dataEditor
    project roles/bigquery.jobUser
    ;;
  frames) project roles/bigquery.readSessionUser ;;
  logs)
    bucket "${LOGS_BUCKET:?}" roles/storage.objectUser
    bucket "${LOGS_BUCKET:?}" roles/storage.legacyBucketReader
    ;;
  landing) bucket "${LANDING_BUCKET:?}" roles/storage.objectUser ;;
  secret)
    gcloud secrets add-iam-policy-binding "${SECRET:?its name}" --project="${GCP_PROJECT_ID:?}" --member="$member" \
      --role=roles/secretmanager.secretAccessor
    ;;
  impersonation) account roles/iam.serviceAccountTokenCreator ;;
  workload-identity) account roles/iam.workloadIdentityUser ;;
  *) usage ;;
esac
