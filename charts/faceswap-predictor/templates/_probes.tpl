{{/*
All three, for KServe's own is a bare TCP connect that is true long before the models are loaded. Knative probes no port
but the one it serves; where that is gRPC the container asks itself over REST.
*/}}
{{- define "faceswap-predictor.probes" -}}
{{- $ready := printf "/v2/models/%s/ready" .model.modelName -}}
startupProbe:
  {{- include "faceswap-predictor.probe" (dict "service" . "path" $ready "timing" .probes.startup) | nindent 2 }}
readinessProbe:
  {{- include "faceswap-predictor.probe" (dict "service" . "path" $ready "timing" .probes.readiness) | nindent 2 }}
livenessProbe:
  {{- include "faceswap-predictor.probe" (dict "service" . "path" "/v2/health/live" "timing" .probes.liveness) | nindent 2 }}
{{- end -}}

{{- define "faceswap-predictor.probe" -}}
{{- if and .service.knative .service.grpc.enabled -}}
exec:
  command:
    - python
    - -c
    - "import urllib.request; urllib.request.urlopen('http://127.0.0.1:{{ .service.rest.port }}{{ .path }}', timeout={{ .timing.timeoutSeconds }})"
{{- else -}}
httpGet:
  path: {{ .path }}
  port: {{ .service.rest.port }}
{{- end }}
{{ toYaml .timing }}
{{- end -}}
