{{/*
One service: the shared values with those of `cpu`, `gpu` or `ray` over them, its device and its names. Called with root
and device; returns JSON, which keeps numbers as they are.
*/}}
{{- define "faceswap-predictor.service" -}}
{{- $shared := omit .root.Values "cpu" "gpu" "ray" "global" "nameOverride" "fullnameOverride" "commonLabels" "commonAnnotations"
      "serviceAccount" "weights" "grafanaDashboard" "tests" "extraObjects" -}}
{{- $service := mergeOverwrite (deepCopy $shared) (deepCopy (index .root.Values .device)) -}}
{{- $_ := set $service "device" .device -}}
{{- $_ := set $service "name" (printf "%s-%s" (include "faceswap-predictor.fullname" .root) .device) -}}
{{- $_ := set $service "namespace" .root.Release.Namespace -}}
{{- $_ := set $service "knative" (eq $service.deploymentMode "Knative") -}}
{{- $_ := set $service "runtimeName" (include "faceswap-predictor.runtimeName" (dict "root" .root "service" $service)) -}}
{{- $_ := set $service "storage" (include "faceswap-predictor.storage" (dict "root" .root "service" $service) | fromJsonArray) -}}
{{- toJson $service -}}
{{- end -}}

{{/* The InferenceServices that are enabled, as {"services": […]}. */}}
{{- define "faceswap-predictor.services" -}}
{{- $root := . -}}
{{- $services := list -}}
{{- range $device := list "cpu" "gpu" -}}
{{- if (index $root.Values $device).enabled -}}
{{- $services = append $services (include "faceswap-predictor.service" (dict "root" $root "device" $device) | fromJson) -}}
{{- end -}}
{{- end -}}
{{- dict "services" $services | toJson -}}
{{- end -}}

{{/* The same, and behind them the RayService. */}}
{{- define "faceswap-predictor.allServices" -}}
{{- $services := (include "faceswap-predictor.services" . | fromJson).services -}}
{{- with include "faceswap-predictor.ray" . | fromJson -}}
{{- $services = append $services . -}}
{{- end -}}
{{- dict "services" $services | toJson -}}
{{- end -}}

{{/* A cluster runtime is seen by every namespace, so its name says which one it is of. */}}
{{- define "faceswap-predictor.runtimeName" -}}
{{- $runtime := .service.runtime -}}
{{- $runtime.name | default ($runtime.cluster | ternary (printf "%s-%s" .root.Release.Namespace .service.name) .service.name) -}}
{{- end -}}

{{/* Which pods are a service's: the label KServe gives them, in both modes. */}}
{{- define "faceswap-predictor.podSelector" -}}
matchLabels:
  serving.kserve.io/inferenceservice: {{ .name }}
{{- end -}}
