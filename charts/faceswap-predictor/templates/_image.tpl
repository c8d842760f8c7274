{{/* An image's reference: a digest wins over a tag. */}}
{{- define "faceswap-predictor.image" -}}
{{- with .registry }}{{ . }}/{{ end -}}
{{- .repository -}}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end -}}
{{- end -}}
