{{/*
A second predictor: the same but for what `canary` says. KServe takes no maxReplicas and no scaling in it. Called with
root and service.
*/}}
{{- define "faceswap-predictor.canary" -}}
{{- $canary := deepCopy .service -}}
{{- $_ := set $canary "image" (mergeOverwrite (deepCopy .service.image) .service.canary.image) -}}
{{- $_ := set $canary "model" (mergeOverwrite (deepCopy .service.model) .service.canary.model) -}}
{{- $_ := set $canary "replicas" (dict "min" .service.canary.replicas "max" .service.canary.replicas) -}}
name: {{ $canary.canary.name }}
minReplicas: {{ int $canary.canary.replicas }}
deploymentStrategy:
  {{- include "faceswap-predictor.deploymentStrategy" $canary | nindent 2 }}
timeout: {{ ceil $canary.model.requestTimeoutSeconds }}
{{ include "faceswap-predictor.pod" (dict "root" .root "service" $canary) }}
{{- $server := include "faceswap-predictor.server" $canary | fromYaml }}
{{- if $server.model }}
{{- /* the runtime holds the stable image and settings: what differs goes over them */}}
{{- $_ := set $server.model "image" (include "faceswap-predictor.image" $canary.image) }}
{{- $_ := set $server.model "env" (include "faceswap-predictor.settings" $canary | fromYamlArray) }}
{{- end }}
{{ toYaml $server }}
{{- end -}}
