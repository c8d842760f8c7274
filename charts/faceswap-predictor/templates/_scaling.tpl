{{/* Replicas and what moves them, in the words of each class. */}}
{{- define "faceswap-predictor.scaling" -}}
{{- $scaling := .autoscaling -}}
minReplicas: {{ .replicas.min | int }}
maxReplicas: {{ max .replicas.min .replicas.max | int }}
{{- if .knative }}
scaleMetric: {{ $scaling.metric | default "concurrency" }}
scaleTarget: {{ $scaling.target | default 1 | int }}
{{- with .containerConcurrency }}
containerConcurrency: {{ int . }}
{{- end }}
{{- else if eq $scaling.class "hpa" }}
scaleMetric: {{ $scaling.metric | default "cpu" }}
scaleTarget: {{ $scaling.target | default 80 | int }}
{{- else if eq $scaling.class "keda" }}
autoScaling:
  metrics:
    - type: External
      external:
        metric:
          backend: prometheus
          serverAddress: {{ $scaling.keda.serverAddress | quote }}
          query: {{ include "faceswap-predictor.kedaQuery" . | quote }}
        target:
          # KServe makes an average over the pods of it
          type: Value
          value: {{ $scaling.keda.target | toString | quote }}
  {{- with $scaling.behavior }}
  behavior:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Calls in flight on all pods of the service; filled in where the InferenceService is, for it needs the namespace. */}}
{{- define "faceswap-predictor.kedaQuery" -}}
{{- .autoscaling.keda.query | default (printf "sum(predictor_requests_in_flight{namespace=%q,pod=~\"%s-predictor-.+\"})" .namespace .name) -}}
{{- end -}}

{{/* Both modes are said: left out, KServe's ConfigMap decides, and nothing can change it afterwards. */}}
{{- define "faceswap-predictor.modeAnnotations" -}}
serving.kserve.io/deploymentMode: {{ .deploymentMode }}
{{- if not .knative }}
serving.kserve.io/autoscalerClass: {{ .autoscaling.class }}
{{- end }}
{{- end -}}
