#!/usr/bin/env bash
# query.sh NAMESPACE TABLE SQL: runs one query in a pod of its own, over the IcebergTable object TABLE.
set -euo pipefail
namespace=$1 table=$2 sql=$3
image=${WORKER_IMAGE:-datastack/gpuworker:dev}
name=query-$(head -c 4 /dev/urandom | od -An -tx1 | tr -d ' ')
spec=$(kubectl -n "$namespace" get icebergtable "$table" -o 'jsonpath={.spec}')
secret=$(kubectl -n "$namespace" get icebergtable "$table" -o 'jsonpath={.spec.storage.s3.credentialsSecretRef.name}')
claim=$(kubectl -n "$namespace" get icebergtable "$table" -o 'jsonpath={.spec.catalog.sql.claimName}')

kubectl -n "$namespace" create configmap "$name" --from-literal=tables.json="{\"$table\":{\"spec\":$spec}}" --from-literal=query.sql="$sql" >/dev/null
trap 'kubectl -n "$namespace" delete job,configmap "$name" --ignore-not-found >/dev/null' EXIT
kubectl -n "$namespace" create -f - >/dev/null <<YAML
apiVersion: batch/v1
kind: Job
metadata: {name: $name}
spec:
  backoffLimit: 0
  activeDeadlineSeconds: 120
  template:
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: query
        image: $image
        imagePullPolicy: IfNotPresent
        args: [query, --tables, /query/tables.json, --sql-file, /query/query.sql, --mounts, /datastack]
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
        volumeMounts:
        - {name: query, mountPath: /query}
        - {name: scratch, mountPath: /datastack/scratch}
        - {name: catalog, mountPath: /datastack/volumes/$claim}
        - {name: credentials, mountPath: /datastack/secrets/$secret}
      volumes:
      - {name: query, configMap: {name: $name}}
      - {name: scratch, emptyDir: {sizeLimit: 1Gi}}
      - {name: catalog, persistentVolumeClaim: {claimName: $claim}}
      - {name: credentials, secret: {secretName: $secret}}
YAML
echo "  $sql" | sed 's/^/  /'
kubectl -n "$namespace" wait --for='jsonpath={.status.conditions[*].type}' --timeout=120s "job/$name" >/dev/null || true
succeeded=$(kubectl -n "$namespace" get job "$name" -o 'jsonpath={.status.succeeded}')
kubectl -n "$namespace" logs "job/$name"
[ "$succeeded" = 1 ]
