{{/* What stands beside the containers in a predictor: who it is, where it runs, how it goes away. Called with root, service. */}}
{{- define "faceswap-predictor.pod" -}}
{{- $service := .service -}}
labels:
  {{- merge (dict) $service.podLabels (include "faceswap-predictor.labels" .root | fromYaml) | toYaml | nindent 2 }}
{{- with include "faceswap-predictor.podAnnotations" $service | fromYaml }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
# without it every Service of the namespace is in the environment, and one called `predictor` looks like our settings
enableServiceLinks: false
automountServiceAccountToken: false
{{- with include "faceswap-predictor.serviceAccountName" .root }}
serviceAccountName: {{ . }}
{{- end }}
{{- with $service.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if not $service.knative }}
terminationGracePeriodSeconds: {{ include "faceswap-predictor.terminationGracePeriodSeconds" $service }}
{{- with $service.podSecurityContext }}
securityContext:
  {{- include "faceswap-predictor.securityContext" (dict "service" $service "context" .) | nindent 2 }}
{{- end }}
{{- end }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" }}
{{- with index $service $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- range $key := list "runtimeClassName" "priorityClassName" }}
{{- with index $service $key }}
{{ $key }}: {{ . }}
{{- end }}
{{- end }}
{{- with $service.storageContainerName }}
storageContainerName: {{ . }}
{{- end }}
{{- end -}}

{{- define "faceswap-predictor.podAnnotations" -}}
{{- $annotations := deepCopy .podAnnotations -}}
{{- if and .scrapeAnnotations (not .podMonitor.enabled) -}}
{{- /* KServe's own annotation for this writes another port into the pod */ -}}
{{- $scrape := dict "prometheus.io/scrape" "true" "prometheus.io/path" "/metrics" "prometheus.io/port" (.rest.port | int | toString) -}}
{{- $annotations = merge $annotations $scrape -}}
{{- end -}}
{{- toYaml $annotations -}}
{{- end -}}

{{/* preStop, then the server's grace from SIGTERM on, and a margin before SIGKILL. */}}
{{- define "faceswap-predictor.terminationGracePeriodSeconds" -}}
{{- add (include "faceswap-predictor.preStopSeconds" .) (ceil .model.graceSeconds) 5 -}}
{{- end -}}

{{/*
One at a time and never fewer than there should be. On a GPU the old pod leaves first, for the new one would wait for its
device for ever: one of several at a time; a single one by Recreate, as with "one may be missing" of one Kubernetes, and so
KServe, would call the service ready with no pod at all.
*/}}
{{- define "faceswap-predictor.deploymentStrategy" -}}
{{- $gpu := eq .device "gpu" -}}
{{- $rolls := or (hasKey .strategy "maxSurge") (hasKey .strategy "maxUnavailable") (gt (max .replicas.min .replicas.max | int) 1) -}}
{{- $type := .strategy.type | default (and $gpu (not $rolls) | ternary "Recreate" "RollingUpdate") -}}
type: {{ $type }}
{{- if eq $type "RollingUpdate" }}
rollingUpdate:
  maxSurge: {{ hasKey .strategy "maxSurge" | ternary .strategy.maxSurge ($gpu | ternary 0 1) }}
  maxUnavailable: {{ hasKey .strategy "maxUnavailable" | ternary .strategy.maxUnavailable ($gpu | ternary 1 0) }}
{{- end }}
{{- end -}}
