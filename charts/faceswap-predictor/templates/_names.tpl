{{/* How things are called, and the labels and annotations of everything. */}}

{{- define "faceswap-predictor.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/*
RELEASE-CHART, or RELEASE where one says the other already: `faceswap` gives faceswap-cpu. KServe leaves the name of an
InferenceService few letters, and none is worth saying twice.
*/}}
{{- define "faceswap-predictor.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if or (contains $name .Release.Name) (hasPrefix .Release.Name $name) -}}
{{- .Release.Name -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name -}}
{{- end -}}
{{- end -}}

{{/*
Labels that never change in the life of a release. No helm.sh/chart and no version: KServe copies the labels of an
InferenceService to its pods, so a new version of the chart would restart every one of them.
*/}}
{{- define "faceswap-predictor.labels" -}}
app.kubernetes.io/name: {{ include "faceswap-predictor.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* metadata of an object. Called with root, name, and optionally labels and annotations of its own. */}}
{{- define "faceswap-predictor.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
{{ include "faceswap-predictor.metadataWithoutNames" . }}
{{- end -}}

{{- define "faceswap-predictor.metadataWithoutNames" -}}
labels:
  {{- $labels := include "faceswap-predictor.labels" .root | fromYaml }}
  {{- merge (dict) (.labels | default dict) $labels | toYaml | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "faceswap-predictor.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "faceswap-predictor.fullname" .) "") -}}
{{- end -}}

{{- define "faceswap-predictor.weightsClaimName" -}}
{{- $claim := .Values.weights.claim -}}
{{- $claim.name | default ($claim.create | ternary (printf "%s-weights" (include "faceswap-predictor.fullname" .)) "") -}}
{{- end -}}
