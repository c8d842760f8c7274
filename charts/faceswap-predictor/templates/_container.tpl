{{/*
The body of the server's container, the same in an InferenceService and in a ServingRuntime, but for name, image and
resources. Called with a service.
*/}}
{{- define "faceswap-predictor.container" -}}
command: [python, -m, predictor, serve]
ports:
  {{- include "faceswap-predictor.ports" . | trim | nindent 2 }}
env:
  {{- include "faceswap-predictor.environment" . | nindent 2 }}
{{- with .extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{ include "faceswap-predictor.probes" . }}
{{- if not .knative }}
{{ include "faceswap-predictor.lifecycle" . }}
{{- end }}
securityContext:
  {{- include "faceswap-predictor.securityContext" (dict "service" . "context" .containerSecurityContext) | nindent 2 }}
# why it could not start stands where `kubectl describe` shows it
terminationMessagePolicy: FallbackToLogsOnError
volumeMounts:
  {{- include "faceswap-predictor.volumeMounts" . | nindent 2 }}
{{- end -}}

{{/*
Standard: the Service's port 80 is the first port, further ones keep their numbers, two need names, and one with grpc in
its name speaks HTTP/2. Knative: one port, called h2c if it is gRPC.
*/}}
{{- define "faceswap-predictor.ports" -}}
{{- if .rest.enabled }}
- name: {{ .knative | ternary "http1" "http" }}
  containerPort: {{ .rest.port }}
  protocol: TCP
{{- end }}
{{- if .grpc.enabled }}
- name: {{ .knative | ternary "h2c" "grpc" }}
  containerPort: {{ .grpc.port }}
  protocol: TCP
{{- end }}
{{- end -}}

{{/* Before SIGTERM the pod still takes calls, while everybody learns that it goes away; needs no shell. */}}
{{- define "faceswap-predictor.lifecycle" -}}
{{- $seconds := include "faceswap-predictor.preStopSeconds" . | int -}}
{{- if $seconds -}}
lifecycle:
  preStop:
    sleep:
      seconds: {{ $seconds }}
{{- end -}}
{{- end -}}

{{- define "faceswap-predictor.preStopSeconds" -}}
{{- kindIs "invalid" .preStopSeconds | ternary 5 .preStopSeconds | int -}}
{{- end -}}

{{/* A security context; OpenShift chooses user and groups itself. Called with service and context. */}}
{{- define "faceswap-predictor.securityContext" -}}
{{- $context := .context -}}
{{- if .service.openshift.enabled -}}
{{- $context = omit $context "runAsUser" "runAsGroup" "fsGroup" "fsGroupChangePolicy" "supplementalGroups" -}}
{{- end -}}
{{- toYaml $context -}}
{{- end -}}

{{/* Requests and limits, the device among both. */}}
{{- define "faceswap-predictor.resources" -}}
{{- $resources := deepCopy .resources -}}
{{- if eq .device "gpu" -}}
{{- $device := dict .resource (.count | int | toString) -}}
{{- $_ := set $resources "limits" (merge (deepCopy $device) ($resources.limits | default dict)) -}}
{{- $_ := set $resources "requests" (merge $device ($resources.requests | default dict)) -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}
