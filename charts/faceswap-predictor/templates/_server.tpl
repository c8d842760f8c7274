{{/* The server in a predictor: a whole container, or a model that a runtime serves. Called with a service. */}}
{{- define "faceswap-predictor.server" -}}
{{- if eq .mode "container" -}}
containers:
  - name: kserve-container
    image: {{ include "faceswap-predictor.image" .image }}
    imagePullPolicy: {{ .image.pullPolicy }}
    {{- include "faceswap-predictor.container" . | nindent 4 }}
    resources:
      {{- include "faceswap-predictor.resources" . | nindent 6 }}
volumes:
  {{- include "faceswap-predictor.volumes" . | nindent 2 }}
{{- else -}}
model:
  modelFormat:
    name: {{ .runtime.format }}
  runtime: {{ .runtimeName }}
  protocolVersion: v2
  {{- if include "faceswap-predictor.isSingleStorage" . }}
  storageUri: {{ (index .storage 0).uri | quote }}
  {{- end }}
  # written here as well as in the runtime: KServe would fill what is missing with 1 CPU and 2Gi
  resources:
    {{- include "faceswap-predictor.resources" . | nindent 4 }}
  {{- if not .runtime.create }}
  env:
    {{- include "faceswap-predictor.environment" . | nindent 4 }}
  volumeMounts:
    {{- include "faceswap-predictor.volumeMounts" . | nindent 4 }}
volumes:
  {{- include "faceswap-predictor.volumes" . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}
