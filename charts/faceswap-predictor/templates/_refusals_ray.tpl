{{/* What KubeRay and Ray Serve take, and that hangs or fails where nobody looks. Called with the RayService's values. */}}
{{- define "faceswap-predictor.refuseRay" -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]{0,45}[a-z0-9])?$" .name) -}}
{{- fail (printf "%q cannot be the name of a RayService: small letters, digits and dashes, a letter first, 47 characters; choose another release name or fullnameOverride" .name) -}}
{{- end -}}
{{- if or .storageUris .destinations.storageUri -}}
{{- fail "storageUris and destinations.storageUri are fetched by KServe, and no RayService has it: give weights.claim and destinations.pvc, and move these under cpu or gpu" -}}
{{- end -}}
{{- include "faceswap-predictor.refuseStorage" . -}}
{{- include "faceswap-predictor.refuseEnvironment" . -}}
{{- if eq .model.recipe "reference" -}}
{{- fail "model.recipe reference runs the peers' own pipeline in one piece; it cannot go behind Ray: set ray.model.recipe" -}}
{{- end -}}
{{- if .networkPolicy.enabled -}}
{{- fail "networkPolicy covers no RayService, whose own ports run code for whoever reaches them: move it under cpu or gpu, and write one for app.kubernetes.io/component: ray in extraObjects" -}}
{{- end -}}
{{- range $group := list "head" "workers" -}}
{{- if not (dig $group "resources" "limits" "memory" "" $) -}}
{{- fail (printf "ray.%s.resources.limits.memory is missing: Ray would count on all the memory of the node" $group) -}}
{{- end -}}
{{- end -}}
{{- if lt (int .workers.max) (int .workers.min) -}}
{{- fail "ray.workers.max is less than ray.workers.min" -}}
{{- end -}}
{{- include "faceswap-predictor.refuseRayStages" . -}}
{{- $needed := addf (mulf 2 .connectionSeconds) .model.graceSeconds | ceil | int -}}
{{- if lt (int .deletionDelaySeconds) $needed -}}
{{- fail (printf "ray.deletionDelaySeconds %d: calls would end with the old cluster; twice ray.connectionSeconds and model.graceSeconds are %d" (int .deletionDelaySeconds) $needed) -}}
{{- end -}}
{{- end -}}

{{/* Ray Serve waits for ever for a place that no worker has. */}}
{{- define "faceswap-predictor.refuseRayStages" -}}
{{- $bounds := splitList "-" .stages.replicas -}}
{{- if lt (last $bounds | int) (first $bounds | int) -}}
{{- fail (printf "ray.stages.replicas %s: the most are less than the least" .stages.replicas) -}}
{{- end -}}
{{- if .stages.cpus -}}
{{- $places := mul (divf .workers.cpus .stages.cpus | floor | int) (int .workers.min) -}}
{{- $replicas := mul 4 (first $bounds | int) -}}
{{- if lt $places $replicas -}}
{{- fail (printf "ray.stages: four stages have %d replicas at least, and ray.workers.min workers places for %d; raise ray.workers, or lower ray.stages.cpus" $replicas $places) -}}
{{- end -}}
{{- end -}}
{{- end -}}
