{{/* All settings of a service: its `model`, and what follows from its ports, its data and, behind Ray, its stages. */}}
{{- define "faceswap-predictor.settings" -}}
{{- $settings := deepCopy .model -}}
{{- if eq .device "ray" -}}
{{- range $key, $value := .stages -}}{{- $_ := set $settings (printf "ray%s" (title $key)) $value -}}{{- end -}}
{{- $_ := set $settings "rayConnectionSeconds" .connectionSeconds -}}
{{- else -}}
{{- $_ := set $settings "httpPort" .rest.port -}}
{{- $_ := set $settings "grpcPort" .grpc.port -}}
{{- end -}}
{{- $_ := set $settings "weightsDir" (include "faceswap-predictor.weightsDir" .) -}}
{{- if include "faceswap-predictor.hasDestinations" . -}}
{{- $_ := set $settings "destinationsDir" "/mnt/destinations" -}}
{{- end -}}
{{- include "faceswap-predictor.variables" $settings -}}
{{- end -}}

{{/*
Settings as environment variables: PREDICTOR_ and the key in capitals, for every one that is given. Whole numbers are
written in full: Helm holds them as floats, and 64000000 would become 6.4e+07.
*/}}
{{- define "faceswap-predictor.variables" -}}
{{- $settings := . -}}
{{- range $key, $value := $settings -}}
{{- /* no licence accepted is said aloud where weights are run: it is the line that somebody has to fill in */}}
{{- $silent := or (eq $key "weightsDir") (eq $settings.recipe "embedded") -}}
{{- if not (or (kindIs "invalid" $value) (and $silent (empty $value) (has (kindOf $value) (list "slice" "string")))) }}
- name: PREDICTOR_{{ $key | snakecase | upper }}
  value: {{ include "faceswap-predictor.settingValue" $value | quote }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "faceswap-predictor.settingValue" -}}
{{- if kindIs "slice" . -}}
{{- join "," . -}}
{{- else if and (kindIs "float64" .) (eq (float64 (int64 .)) .) -}}
{{- int64 . -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{/* Caches go where the container can write, whoever it runs as. */}}
{{- define "faceswap-predictor.writablePlaces" -}}
- name: HOME
  value: /tmp
- name: XDG_CACHE_HOME
  value: /tmp/cache
{{- end -}}

{{- define "faceswap-predictor.environment" -}}
{{ include "faceswap-predictor.writablePlaces" . }}
{{- include "faceswap-predictor.settings" . }}
{{- if eq .device "ray" }}
{{ include "faceswap-predictor.rayVariables" . }}
{{- else if and (eq .mode "container") (include "faceswap-predictor.isSingleStorage" .) }}
- name: STORAGE_URI
  value: {{ (index .storage 0).uri | quote }}
{{- end }}
{{- with .extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
